"""Check the image's description without building it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCKERFILE = (_ROOT / "Dockerfile").read_text()
_VARIANTS = ("cpu", "cuda")


def test_the_context_is_what_the_dockerfile_copies() -> None:
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", _DOCKERFILE, re.MULTILINE)
        for source in line.split()
    }
    kept = set(re.findall(r"^!(.+)$", (_ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert {source.replace("${VARIANT}", "*") for source in copied} == kept
    for source in copied:
        for variant in _VARIANTS:
            assert (_ROOT / source.replace("${VARIANT}", variant)).exists()


def test_base_images_have_the_python_of_setup_and_the_beam_of_the_lock() -> None:
    images = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", _DOCKERFILE, re.MULTILINE))
    (python,) = re.findall(r"python:(3\.\d+)-", images["PYTHON_IMAGE"])
    assert f'requires-python = ">={python},' in (_ROOT / "pyproject.toml").read_text()
    beam = _locked("requirements.lock")["apache-beam"][0]
    assert images["BEAM_IMAGE"] == f"apache/beam_python{python}_sdk:{beam}"


def _locked(file: str) -> dict[str, tuple[str, str]]:
    """Return the version and the hashes of each package of a lock."""
    packages = re.split(r"\n(?=\S)", (_ROOT / file).read_text())
    found = [re.match(r"([a-z0-9-]+)==(\S+)", package) for package in packages]
    hashes = ["".join(sorted(re.findall(r"--hash=(\S+)", package))) for package in packages]
    return {match[1]: (match[2], listed) for match, listed in zip(found, hashes, strict=True) if match}


@pytest.mark.parametrize("variant", _VARIANTS)
def test_packages_of_the_image_are_those_of_the_lock(variant: str) -> None:
    everywhere, inside = _locked("requirements.lock"), _locked(f"image/{variant}.lock")
    assert inside.keys() - everywhere.keys() == (
        {"tensorflow-cpu"} if variant == "cpu" else {name for name in inside if name.startswith("nvidia-")}
    )
    for name in inside.keys() & everywhere.keys():
        assert inside[name] == everywhere[name], f"{name}: make lock"
    assert not {"pytest", "mypy", "ruff", "playwright"} & inside.keys()
    of_tensorflow = inside.get("tensorflow-cpu", inside.get("tensorflow"))
    assert of_tensorflow is not None
    assert of_tensorflow[0] == everywhere["tensorflow"][0]


def _make_image(
    tmp_path: Path, *arguments: str, engines: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run scripts/image.sh where only these engines are installed; each prints its arguments."""
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    for engine in engines:
        (tmp_path / engine).write_text('#!/bin/bash\necho "${0##*/} $*"\n')
        (tmp_path / engine).chmod(0o755)
    return subprocess.run(
        [str(_ROOT / "scripts/image.sh"), *arguments],
        env=os.environ | {"PATH": str(tmp_path)} | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["docker", "podman", "buildah"])
def test_make_image_uses_the_installed_engine(tmp_path: Path, engine: str) -> None:
    built = _make_image(tmp_path, "name:1", "cuda", engines=(engine,), BUILD_ARGUMENTS="--network host")
    expected = "build --target pipeline --build-arg VARIANT=cuda --network host --tag name:1 .\n"
    assert built.stdout == f"{engine} {expected}"


@pytest.mark.parametrize(
    ("variant", "status", "message"),
    [
        ("cpu", 1, "image: neither Docker nor Podman answers here, and there is no Buildah"),
        ("gpu", 2, "image: unknown variant 'gpu'; known: "),
    ],
)
def test_make_image_names_what_is_missing_in_one_line(tmp_path: Path, variant: str, status: int, message: str) -> None:
    built = _make_image(tmp_path, "name:1", variant)
    assert built.returncode == status
    (line,) = built.stderr.splitlines()
    assert line.startswith(message)
