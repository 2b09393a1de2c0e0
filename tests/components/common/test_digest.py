"""Digests of artifacts: equal for equal files, different after any change, and read once."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from components.common import digest, tree
from components.common.digest import Digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    for name, content in (("Split-train/part-0", b"rows"), ("Split-eval/part-0", b""), ("names \udcff", b"x")):
        path = Path(os.fsdecode(os.fsencode(folder / name)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_a_copy_has_the_same_digest_whatever_its_times_and_empty_folders(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "empty").mkdir()
    os.utime(copy / "Split-train" / "part-0", (1, 1))
    assert Digests().compute(str(copy)) == Digests().compute(str(folder))
    assert Digests().match(str(copy), Digests().compute(str(folder), sizes_only=True))


def _flip(folder: Path) -> None:
    path = folder / "Split-train" / "part-0"
    times = path.stat()
    path.write_bytes(b"row\0")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a tool may that keeps times


@pytest.mark.parametrize(
    ("damage", "changes_sizes"),
    [
        (_flip, False),
        (lambda folder: os.truncate(folder / "Split-train" / "part-0", 2), True),
        (lambda folder: (folder / "Split-eval" / "part-0").unlink(), True),
        (lambda folder: (folder / "Split-eval" / "part-1").touch(), True),
        (lambda folder: (folder / "Split-eval" / "part-0").rename(folder / "Split-eval" / "part-1"), True),
        (lambda folder: os.mkfifo(folder / "pipe"), False),
        (lambda folder: (folder / "link").symlink_to("/"), False),
    ],
    ids=["flipped", "cut", "removed", "added", "renamed", "pipe", "link"],
)
def test_any_change_changes_the_digest(folder: Path, damage: Callable[[Path], object], changes_sizes: bool) -> None:
    digests = Digests()
    content, sizes = digests.compute(str(folder)), digests.compute(str(folder), sizes_only=True)
    assert digests.match(str(folder), content)
    damage(folder)
    assert not digests.match(str(folder), content)
    assert Digests().match(str(folder), sizes) != changes_sizes


def test_files_are_read_again_only_if_they_have_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def read_files(uri: str, names: Sequence[str]) -> dict[str, str]:
        read.append(uri)
        return tree.checksums(uri, names)

    monkeypatch.setattr(digest, "checksums", read_files)
    digests = Digests()
    for _ in range(3):
        digests.compute(str(folder))
    assert read == [str(folder)]
    _flip(folder)
    digests.compute(str(folder))
    assert len(read) == 2


def test_a_file_and_what_does_not_exist_have_digests_too(folder: Path) -> None:
    digests = Digests()
    of_file = digests.compute(str(folder / "Split-train" / "part-0"))
    assert of_file != digests.compute(str(folder / "Split-eval" / "part-0"))
    missing = digests.compute(str(folder / "nowhere"))
    (folder / "nowhere").mkdir()
    assert digests.compute(str(folder / "nowhere")) == missing


def test_what_cannot_be_read_does_not_match(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Digests().compute(str(folder))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(digest, "checksums", fail)
    assert not Digests().match(str(folder), expected)
