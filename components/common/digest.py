"""Digests of artifacts: what a step left is what later steps read, or it is made anew.

A digest is a property of the artifact in the runner's metadata, so that nothing is added to its folder: TFX takes the
only file of a Schema's folder for the schema.
"""

import hashlib
from pathlib import Path

from components.common.files import exists, file_size, is_remote
from components.common.tree import checksums, walk

PROPERTY = "digest"
"""Custom property of an artifact that has its digest."""

_CONTENT, _SIZES = "sha256", "sizes"


class Digests:
    """Digests of artifacts, each computed once.

    What is on a local disk is read again only if a file has another inode, size or time of change than when it was
    read. The time is that of the inode (ctime), which no program can set. So within a run, whose steps follow each
    other, each artifact is read once; the next run reads it again, and so finds what a disk has damaged in between.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def compute(self, uri: str, *, sizes_only: bool = False) -> str:
        """Compute the digest of an artifact: SHA-256 over the names of its files and what they contain.

        Args:
            uri: Its folder or file, local or remote. One that does not exist has the digest of an empty folder.
            sizes_only: Whether the sizes of the files stand for their contents. Object stores compare checksums
                themselves, and keep no file that was written in part.

        Returns:
            The digest, after the name of what it is computed of. Empty folders do not count: object stores keep none.

        Raises:
            OSError: A file cannot be read.
        """
        if is_remote(uri):
            return _compute(uri, sizes_only=sizes_only)
        state = _state(Path(uri))
        known = self._known.get(uri)
        if known is None or known[0] != state or known[1].startswith(_SIZES) != sizes_only:
            known = self._known[uri] = (state, _compute(uri, sizes_only=sizes_only))
        return known[1]

    def match(self, uri: str, digest: str) -> bool:
        """Return whether an artifact has a digest; one that cannot be read has not."""
        try:
            return self.compute(uri, sizes_only=digest.startswith(_SIZES)) == digest
        except OSError:
            return False


def _compute(uri: str, *, sizes_only: bool) -> str:
    found = _sizes(uri) if sizes_only else _contents(uri)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\0{found[name]}\n".encode("utf-8", "surrogateescape"))
    return f"{_SIZES if sizes_only else _CONTENT}:{digest.hexdigest()}"


def _contents(uri: str) -> dict[str, str]:
    """Return the checksum of each file by its path; of what is not a file, that it is none."""
    if not exists(uri):
        return {}
    if not is_remote(uri) and Path(uri).is_file():
        folder, name = str(Path(uri).parent), Path(uri).name
        return {"": checksums(folder, [name])[name]}
    tree = walk(uri)
    return checksums(uri, tree.files) | dict.fromkeys(tree.others, "not a file")


def _sizes(uri: str) -> dict[str, str]:
    return {name: str(file_size(f"{uri.rstrip('/')}/{name}")) for name in walk(uri).files} if exists(uri) else {}


def _state(path: Path) -> object:
    """Return what changes with any change of the files of a folder: names, inodes, sizes and times of change."""
    if not path.exists():
        return None
    names = [""] if path.is_file() else [name for names in vars(walk(str(path))).values() for name in names]
    found = [(name, (path / name if name else path).lstat()) for name in names]
    return [(name, each.st_ino, each.st_size, each.st_ctime_ns) for name, each in found]
