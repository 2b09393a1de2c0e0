"""Checks of the image that do not need to build it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.image.dockerfile import UnknownInstructionError, context, parse, parse_command, parse_copy, substitute

_ROOT = Path(__file__).parents[2]
_FILE = parse((_ROOT / "Dockerfile").read_text())
_CONTEXT = context(_ROOT, (_ROOT / ".dockerignore").read_text())
_VARIANTS = ("cpu", "cuda")


def _copies() -> list[str]:
    """Return the sources that are copied from the context, for any variant."""
    values = [step.value for stage in _FILE.stages for step in stage.instructions if step.name == "COPY"]
    copies = [parse_copy(substitute(value, {"VARIANT": variant})) for value in values for variant in _VARIANTS]
    return sorted({source for copy in copies if copy.stage is None for source in copy.sources})


def test_everything_that_is_copied_is_in_the_context() -> None:
    for source in _copies():
        assert any(file == Path(source) or Path(source) in file.parents for file in _CONTEXT), source


def test_context_contains_only_what_is_copied() -> None:
    for file in _CONTEXT:
        assert any(file == Path(source) or Path(source) in file.parents for source in _copies()), file
        assert "__pycache__" not in file.parts


def test_every_image_ends_with_a_numeric_user_that_is_not_root() -> None:
    users = [step.value for step in _FILE.stage("pipeline").instructions if step.name == "USER"]
    assert int(users[-1]) > 0
    for name in ("beam", None):
        stage = _FILE.stage(name)
        assert stage.base == "pipeline"
        assert not [step for step in stage.instructions if step.name in ("USER", "RUN")]


def test_every_image_has_an_entry_point_that_receives_signals() -> None:
    for name, program in (("pipeline", "bert-multilabel"), ("beam", "/opt/apache/beam/boot")):
        (entry,) = [step for step in _FILE.stage(name).instructions if step.name == "ENTRYPOINT"]
        assert entry.value.startswith("["), "a shell in between would not pass SIGTERM on"
        assert parse_command(entry.value) == [program]


def test_stages_use_one_python_and_the_beam_of_the_lock() -> None:
    (python,) = re.findall(r"python:(3\.\d+)-", _FILE.arguments["PYTHON_IMAGE"])
    assert f'requires-python = ">={python},' in (_ROOT / "pyproject.toml").read_text()
    beam = _locked("requirements.lock")["apache-beam"][0]
    assert _FILE.arguments["BEAM_IMAGE"] == f"apache/beam_python{python}_sdk:{beam}"


def _locked(file: str) -> dict[str, tuple[str, str]]:
    """Return version and hashes of each package."""
    packages = re.split(r"\n(?=\S)", (_ROOT / file).read_text())
    found = [re.match(r"([a-z0-9-]+)==(\S+)", package) for package in packages]
    hashes = ["".join(sorted(re.findall(r"--hash=(\S+)", package))) for package in packages]
    return {match[1]: (match[2], listed) for match, listed in zip(found, hashes, strict=True) if match}


@pytest.mark.parametrize("variant", _VARIANTS)
def test_packages_are_those_of_the_lock(variant: str) -> None:
    project, image = _locked("requirements.lock"), _locked(f"image/{variant}.lock")
    assert image.keys() - project.keys() == (
        {"tensorflow-cpu"} if variant == "cpu" else {name for name in image if name.startswith("nvidia-")}
    )
    for name in image.keys() & project.keys():
        assert image[name] == project[name], f"{name}: run make lock"
    assert not {"pytest", "mypy", "ruff", "playwright"} & image.keys()
    tensorflow = image.get("tensorflow-cpu", image.get("tensorflow"))
    assert tensorflow is not None
    assert tensorflow[0] == project["tensorflow"][0]


def test_refuses_unknown_instructions() -> None:
    for line in ("ADD a b", "RUN <<EOF", "HEALTHCHECK NONE", "FROM --platform=linux/amd64 debian"):
        with pytest.raises(UnknownInstructionError):
            parse(f"FROM debian\n{line}\n")
    with pytest.raises(UnknownInstructionError):
        parse_copy("--chown=1 a b")


def test_last_matching_pattern_of_a_dockerignore_decides(tmp_path: Path) -> None:
    for name in ("kept/a.py", "kept/__pycache__/a.pyc", "left/b.py", "c.lock", "d.in"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    passed = context(tmp_path, "# all but\n*\n!kept\n!*.lock\n**/__pycache__\n")
    assert [str(path) for path in passed] == ["c.lock", "kept/a.py"]


def _make_image(tmp_path: Path, *arguments: str, engines: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run scripts/image.sh with only these engines, each of which prints its arguments."""
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    for engine in engines:
        (tmp_path / engine).write_text('#!/bin/bash\necho "${0##*/} $*"\n')
        (tmp_path / engine).chmod(0o755)
    return subprocess.run(
        [str(_ROOT / "scripts/image.sh"), *arguments],
        env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_make_image_uses_the_available_engine(tmp_path: Path) -> None:
    ended = _make_image(tmp_path, "name:1", "cuda", engines=("podman",))
    assert ended.stdout == "podman build --target pipeline --build-arg VARIANT=cuda --tag name:1 .\n"


@pytest.mark.parametrize(
    ("variant", "status", "message"),
    [
        ("cpu", 1, "image: neither Docker nor Podman answers; install one"),
        ("gpu", 2, "image: unknown variant 'gpu'; known: "),
    ],
)
def test_make_image_reports_in_one_line_what_is_missing(
    tmp_path: Path, variant: str, status: int, message: str
) -> None:
    ended = _make_image(tmp_path, "name:1", variant)
    assert ended.returncode == status
    (line,) = ended.stderr.splitlines()
    assert line.startswith(message)
