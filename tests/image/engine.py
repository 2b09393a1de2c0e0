"""Build and run the Dockerfile without a container engine: each stage is a folder, each RUN a chroot in it.

Every chroot has mounts and processes of its own (`unshare`), which the kernel removes with it, so that nothing stays
mounted in any case. It needs root and util-linux; the base image needs mmdebstrap, apt's mirror and the network.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.image.dockerfile import (
    Dockerfile,
    Instruction,
    Stage,
    context,
    pairs,
    parse,
    parse_command,
    parse_copy,
    substitute,
)

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches package indexes: passed to builds, never stored in an image.
_NETWORK = ("PIP_", "UV_", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_NOT_INSIDE = frozenset({"PIP_CERT", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"})
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Python 3.11 and its dependencies come from Debian 12, everything else from Debian 13.
_PREFERENCES = """\
Package: *
Pin: release n=bookworm
Pin-Priority: 100

Package: python3 python3-minimal libpython3-stdlib python3-distutils python3-lib2to3 python3-*-whl
Pin: release n=bookworm
Pin-Priority: 1001
"""
# $1: root; $2: user; $3: working directory; $4: "yes" for the network; $5...: pairs of bind mounts, "--", a command.
_ENTER = """\
set -eu
root=$1 user=$2 folder=$3 network=$4
shift 4
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/mnt"
hostname container
echo "127.0.0.1 localhost container" > "$root/mnt/hosts"
touch "$root/etc/hosts"
mount --bind "$root/mnt/hosts" "$root/etc/hosts"
if [ "$network" = yes ]; then
    touch "$root/etc/resolv.conf"
    mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
    if [ -f "$CERTIFICATES" ]; then cp "$CERTIFICATES" "$root/mnt/certificates"; fi
else
    ip link set lo up
fi
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec chroot --userspec="$user" "$root" /usr/bin/env -i --chdir="$folder" "$@"
"""


@dataclass(frozen=True)
class Image:
    """A stage that was built.

    Attributes:
        root: Root of its file system.
        environment: Environment variables, from ENV.
        user: Uid or name, from USER.
        folder: Working directory, from WORKDIR.
        entrypoint: Command, from ENTRYPOINT.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    user: str = "root"
    folder: str = "/"
    entrypoint: tuple[str, ...] = ()

    def run(
        self,
        *command: str,
        mounts: Mapping[Path, str] | None = None,
        network: bool = False,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = 1200,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the image, as a container would.

        Args:
            command: Program and arguments, without the entry point.
            mounts: Folders of this machine, and their paths in the container.
            network: Whether the command can use this machine's network.
            environment: Variables in addition to the image's.
            timeout_s: Seconds after which the command is killed.
        """
        uid, gid, home = self._account()
        variables = {"HOME": home, **self.environment, **(environment or {})}
        assigned = [f"{name}={value}" for name, value in variables.items()]
        binds = [word for outside, inside in (mounts or {}).items() for word in (str(outside), inside)]
        apart = ["--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts", *([] if network else ["--net"])]
        return subprocess.run(
            ["unshare", *apart, "--", "sh", "-c", _ENTER, "sh", str(self.root), f"{uid}:{gid}", self.folder,
             "yes" if network else "no", *binds, "--", *assigned, *command],
            capture_output=True, text=True, check=False, timeout=timeout_s,
            env={"PATH": _PATH, "CERTIFICATES": str(_CERTIFICATES)},
        )  # fmt: skip

    def _account(self) -> tuple[str, str, str]:
        for line in (self.root / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, _, home, _ = line.split(":")
            if self.user in (name, uid):
                return uid, gid, home
        return self.user, "0", "/"


@dataclass
class Engine:
    """Builder of stages.

    Attributes:
        repository: The build context.
        work: Folder in which stages are built.
        images: Root folders of the images that FROM names.
        arguments: Build arguments.
    """

    repository: Path
    work: Path
    images: dict[str, Path]
    arguments: dict[str, str] = field(default_factory=dict)
    _built: dict[str, Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._file: Dockerfile = parse((self.repository / "Dockerfile").read_text())
        self._context = context(self.repository, (self.repository / ".dockerignore").read_text())
        self._global = {name: self.arguments.get(name, default) for name, default in self._file.arguments.items()}

    def build(self, target: str | None = None) -> Image:
        """Build a stage and the stages that it needs."""
        return self._stage(self._file.stage(target))

    def _stage(self, stage: Stage) -> Image:
        if stage.name in self._built:
            return self._built[stage.name]
        base = self._base(substitute(stage.base, self._global))
        image = replace(base, root=self.work / stage.name) if stage.instructions else base
        if stage.instructions:
            _copy_tree(base.root, image.root)
        known: dict[str, str] = {}
        for instruction in stage.instructions:
            if instruction.name == "ARG":
                known |= {name: self.arguments.get(name, value) for name, value in pairs(instruction.value).items()}
            else:
                image = self._apply(instruction, image, known)
        self._built[stage.name] = image
        return image

    def _apply(self, instruction: Instruction, image: Image, known: Mapping[str, str]) -> Image:
        if instruction.name == "RUN":  # the shell expands its variables
            self._run(image, instruction.value, known)
            return image
        value = substitute(instruction.value, image.environment | dict(known))
        match instruction.name:
            case "ENV":
                return replace(image, environment=image.environment | pairs(value))
            case "USER":
                return replace(image, user=value)
            case "WORKDIR":
                (image.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
                return replace(image, folder=value)
            case "ENTRYPOINT":
                return replace(image, entrypoint=tuple(parse_command(value)))
        self._copy(image, value)
        return image

    def _base(self, name: str) -> Image:
        if name in {stage.name for stage in self._file.stages}:
            return self._stage(self._file.stage(name))
        return Image(self.images[name])

    def _run(self, image: Image, value: str, known: Mapping[str, str]) -> None:
        passed = {
            name: value for name, value in os.environ.items() if name.startswith(_NETWORK) and name not in _NOT_INSIDE
        }
        if _CERTIFICATES.exists():
            passed |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), "/mnt/certificates")
        ended = image.run(*parse_command(value), network=True, environment=passed | dict(known))
        if ended.returncode:
            raise RuntimeError(f"RUN {value}: exit status {ended.returncode}\n{ended.stdout}\n{ended.stderr}")

    def _copy(self, image: Image, value: str) -> None:
        copy = parse_copy(value)
        target = image.root / os.path.join(image.folder, copy.target).lstrip("/")  # noqa: PTH118 - keeps the last slash
        for source in copy.sources:
            if copy.stage is not None:
                _copy_tree(self._base(copy.stage).root / source.lstrip("/"), target)
                continue
            files = [file for file in self._context if file == Path(source) or Path(source) in file.parents]
            if not files:
                raise FileNotFoundError(f"COPY {value}: no {source} in the context")
            for file in files:
                below = target / file.relative_to(source) if file != Path(source) else target
                inside = below / file.name if below == target and copy.target.endswith("/") else below
                inside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.repository / file, inside)


def _copy_tree(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        subprocess.run(["cp", "--archive", str(source), str(target)], check=True)
    else:
        subprocess.run(["cp", "--archive", f"{source}/.", str(target)], check=True)


def make_base(root: Path) -> None:
    """Create a Debian 13 in place of python:3.11-slim-trixie, which only container registries have.

    Its Python 3.11 is that of Debian 12, on the libraries of Debian 13.
    """
    mirror = _mirror()
    sources = root.with_suffix(".list")
    sources.write_text(f"deb {mirror} trixie main\ndeb {mirror} bookworm main\n")
    preferences = root.with_suffix(".preferences")
    preferences.write_text(_PREFERENCES)
    packages = "ca-certificates,libpython3.11-dev,python3.11,python3.11-venv"
    subprocess.run(
        ["mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", f"--include={packages}",
         f"--setup-hook=upload {preferences} /etc/apt/preferences.d/python", "trixie", str(root), str(sources)],
        check=True,
    )  # fmt: skip
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3.11")


def _mirror() -> str:
    """Return the address of Debian that this machine's apt uses."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return next(uri for component, uri in map(str.split, listed) if component == "main" and "security" not in uri)


def megabytes(*paths: Path) -> int:
    """Return the disk usage of files and folders, in MB (10^6 bytes)."""
    listed = subprocess.run(
        ["du", "--summarize", "--total", "--block-size=1", *map(str, paths)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return int(listed[-1].split()[0]) // 1_000_000


def missing_tools() -> Sequence[str]:
    """Return what this machine lacks to build images."""
    missing = [tool for tool in ("apt-get", "ip", "mmdebstrap", "unshare") if shutil.which(tool) is None]
    return missing if os.geteuid() == 0 else ["root", *missing]
