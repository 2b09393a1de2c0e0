"""Numbered entries that a registry keeps beside its versions, such as the log of what was trained on.

    <registry>/<name>/00000007/...

An entry is complete once it has its record, which is written last and removed first. TensorFlow Serving ignores the
folder, like every name that is not a number.
"""

from dataclasses import dataclass

from components.common.files import exists, list_folder, make_folder, make_private_folder, remove_file, remove_folder


@dataclass(frozen=True)
class NumberedEntries:
    """The entries of one kind.

    Attributes:
        name: Name of their folder in a registry.
        record: Name of the file that an entry is complete with.
    """

    name: str
    record: str

    def numbers(self, registry: str) -> list[int]:
        """Return the numbers of the complete entries, ascending."""
        numbers = sorted(int(name) for name in numeric_names(self._all(registry)))
        return [number for number in numbers if exists(f"{self.folder(registry, number)}/{self.record}")]

    def folder(self, registry: str, number: int) -> str:
        """Return the folder of an entry, which need not exist."""
        return f"{self._all(registry)}/{number:08d}"

    def create(self, registry: str, number: int) -> str:
        """Create the folder of an entry, which only its owner can read, and return it."""
        make_private_folder(self._all(registry))
        folder = self.folder(registry, number)
        make_folder(folder)
        return folder

    def remove(self, folder: str) -> None:
        """Remove the folder of an entry; if that is interrupted, what is left is no entry."""
        remove_file(f"{folder}/{self.record}")
        remove_folder(folder)

    def _all(self, registry: str) -> str:
        return f"{registry.rstrip('/')}/{self.name}"


def numeric_names(folder: str) -> list[str]:
    """Return the names in a folder that consist of digits, in no order; none if the folder does not exist."""
    names = (name.rstrip("/") for name in list_folder(folder))
    return [name for name in names if name.isascii() and name.isdigit()]
