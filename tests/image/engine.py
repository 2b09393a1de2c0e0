"""Container engine of the image's tests: Podman, or Docker.

Where no container registry can be reached, two stand-ins are built under names of their own: Debian 13 with Debian 12's
package of Python 3.11 for `python:3.11-slim-trixie`, and Beam's `boot`, compiled from its Go module of the same
version, for Beam's image. The Dockerfile takes both names as build arguments.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

_ROOT = Path(__file__).parents[2]
UID = 1000  # of the image's user
PYTHON_IMAGE = "localhost/bert-multilabel-test/python:3.11"
BOOT_IMAGE = "localhost/bert-multilabel-test/boot"
_BOOT_MODULE = "github.com/apache/beam/sdks/v2/python/container"
# Python 3.11 and what it needs come from Debian 12, everything else from Debian 13.
_PREFERENCES = """\
Package: *
Pin: release n=bookworm
Pin-Priority: 100

Package: python3 python3-minimal libpython3-stdlib python3-distutils python3-lib2to3 python3-*-whl
Pin: release n=bookworm
Pin-Priority: 1001
"""
# The host's certificates and nothing else, for hosts behind a proxy with a certificate of its own: the build sees
# them, the image does not keep them.
_CERTIFICATES = Path("/etc/ssl/certs")
_PIP = "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n"
_UV = "native-tls = true\n"


@dataclass(frozen=True)
class Image:
    """Image that commands run in, each in a container of its own.

    Attributes:
        name: Name with tag.
        engine: podman or docker.
    """

    name: str
    engine: str

    def run(
        self,
        *command: str,
        entrypoint: str | None = None,
        mounts: Mapping[Path, str] | None = None,
        environment: Mapping[str, str] | None = None,
        memory: str = "8g",
        timeout_s: float = 1200,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as a cluster would: no network, no capabilities, a read-only root file system.

        Writable are the mounts, /tmp, which is in memory, and the user's home, an empty folder.

        Args:
            command: Arguments of the entry point; program and arguments if `entrypoint` is empty.
            entrypoint: Replaces the image's; empty: none.
            mounts: Folders of this machine and their paths in the container.
            environment: Variables besides the image's.
            memory: Bound on memory, above which the kernel kills the container.
            timeout_s: Seconds after which the container is killed.
        """
        program = command[:1] if entrypoint == "" else ()
        words = command[len(program) :]
        arguments = [
            "--rm", "--network", "none", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
            "--memory", memory, "--tmpfs", "/tmp:exec,mode=1777",
        ]  # fmt: skip
        for name, value in (environment or {}).items():
            arguments += ["--env", f"{name}={value}"]
        if program or entrypoint:
            arguments += ["--entrypoint", entrypoint or program[0]]
        # Podman with runc gives a tmpfs the owner root and the mode of the folder below it: the user could not write.
        with TemporaryDirectory() as home:
            os.chown(home, UID, UID)
            for outside, inside in {**(mounts or {}), Path(home): "/home/bert"}.items():
                arguments += ["--volume", f"{outside}:{inside}"]
            run = [self.engine, *_global_flags(self.engine), "run", *_run_flags(self.engine)]
            # conmon leaves a file named `oom` in the working directory after a container that exceeded its memory.
            return subprocess.run(
                [*run, *arguments, self.name, *words],
                capture_output=True, text=True, check=False, timeout=timeout_s, cwd=home,
            )  # fmt: skip

    def configuration(self, key: str) -> str:
        """Return a field of the image's configuration, such as `.Config.User`."""
        return _output(self.engine, "image", "inspect", "--format", f"{{{{{key}}}}}", self.name)

    @property
    def megabytes(self) -> int:
        """Size of all layers on disk, in MB of a million bytes."""
        return int(self.configuration(".Size")) // 1_000_000


@dataclass
class Engine:
    """Builder of images by `scripts/image.sh`, which `make image` calls.

    Attributes:
        work: Folder for what only builds need.
        name: podman or docker.
    """

    work: Path
    name: str = field(default_factory=lambda: find_engine() or "")

    def build(self, variant: str) -> Image:
        """Build a variant: cpu, cuda or beam.

        Raises:
            RuntimeError: It could not be built; the message has the end of the build's output.
        """
        tag = f"localhost/bert-multilabel-test:{variant}"
        arguments = ["--build-arg", f"PYTHON_IMAGE={self._python()}"]
        if variant == "beam":
            arguments += ["--build-arg", f"BEAM_IMAGE={BOOT_IMAGE}"]
        ended = subprocess.run(
            [str(_ROOT / "scripts" / "image.sh"), tag, variant],
            env=os.environ | {"BUILD_ARGUMENTS": " ".join([*self._build_flags(), *arguments])},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ended.returncode:
            raise RuntimeError(f"make image VARIANT={variant}: {ended.stdout[-2000:]}\n{ended.stderr[-2000:]}")
        return Image(tag, self.name)

    def import_boot(self, beam_version: str) -> None:
        """Compile Beam's `boot` and import it as the image that the Dockerfile copies it from."""
        subprocess.run(
            ["go", "install", f"{_BOOT_MODULE}@v{beam_version}"],
            check=True, env=os.environ | {"GOBIN": str(self.work / "bin"), "CGO_ENABLED": "0"},
        )  # fmt: skip
        boot = self.work / "boot/opt/apache/beam/boot"
        boot.parent.mkdir(parents=True)
        (self.work / "bin/container").rename(boot)
        packed = self.work / "boot.tar"
        subprocess.run(
            ["tar", "--create", "--file", str(packed), "--directory", str(self.work / "boot"), "."], check=True
        )
        _output(self.name, "import", str(packed), BOOT_IMAGE)

    def _python(self) -> str:
        """Return the name of the base image; the stand-in is built once and kept."""
        if subprocess.run([self.name, "image", "inspect", PYTHON_IMAGE], capture_output=True, check=False).returncode:
            packed = self.work / "base.tar"
            _make_debian(packed)
            _output(self.name, "import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                    str(packed), PYTHON_IMAGE)  # fmt: skip
        return PYTHON_IMAGE

    def _build_flags(self) -> Sequence[str]:
        settings = self.work / "settings"
        (settings / "uv").mkdir(parents=True, exist_ok=True)
        (settings / "pip.conf").write_text(_PIP)
        (settings / "uv" / "uv.toml").write_text(_UV)
        if self.name == "docker":
            return ["--network", "host"]
        return [
            "--isolation", "oci", "--network", "host", "--pull=never", "--ulimit", "nofile=10000:10000",
            "--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro", "--volume", f"{settings}/pip.conf:/etc/pip.conf:ro",
            "--volume", f"{settings}/uv:/etc/uv:ro",
        ]  # fmt: skip


def find_engine() -> str | None:
    """Return the engine that answers here, None if none does."""
    for name in ("podman", "docker"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    return None


def missing_tools() -> Sequence[str]:
    """Return what this machine lacks for building and running the image."""
    missing = [tool for tool in ("apt-get", "mmdebstrap", "tar") if shutil.which(tool) is None]
    if find_engine() is None:
        missing.append("podman (or docker)")
    return missing if os.geteuid() == 0 else ["root", *missing]


def _global_flags(engine: str) -> Sequence[str]:
    # Debian 12's Podman looks for crun, which knows no version 1 control groups.
    return ["--runtime", "runc"] if engine == "podman" and shutil.which("runc") else []


def _run_flags(engine: str) -> Sequence[str]:
    return ["--ulimit", "nofile=10000:10000", "--ulimit", "nproc=20000:20000"] if engine == "podman" else []


def _make_debian(target: Path) -> None:
    """Write a tar of Debian 13 with Debian 12's Python 3.11 on Debian 13's libraries."""
    mirror = _mirror()
    sources = target.with_suffix(".list")
    sources.write_text(f"deb {mirror} trixie main\ndeb {mirror} bookworm main\n")
    preferences = target.with_suffix(".preferences")
    preferences.write_text(_PREFERENCES)
    packages = "ca-certificates,libpython3.11-dev,python3.11,python3.11-venv"
    subprocess.run(
        ["mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", f"--include={packages}",
         f"--setup-hook=upload {preferences} /etc/apt/preferences.d/python",
         '--customize-hook=ln -s /usr/bin/python3.11 "$1/usr/local/bin/python"', "trixie", str(target), str(sources)],
        check=True,
    )  # fmt: skip


def _mirror() -> str:
    """Return the address that this machine's apt has Debian from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return next(uri for component, uri in map(str.split, listed) if component == "main" and "security" not in uri)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
