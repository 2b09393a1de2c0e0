"""Base classes of what steps leave in files for other steps, for reports and for programs.

Settings say what a person chose and refuse unknown keys. Records say what happened: they are immutable as well, but
ignore keys they do not know, so that a file written by a newer version can still be read.
"""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from components.common.files import make_folder, read_bytes, write_whole
from schema.errors import Refused


class Value(BaseModel):
    """Immutable part of a record."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Record(Value):
    """JSON file of a folder, local or remote, that is there complete or not at all.

    Attributes:
        FILE: Name of the file in its folder.
    """

    FILE: ClassVar[str]

    def write(self, folder: str) -> None:
        """Write the record into a folder, which is created if it does not exist.

        Kubeflow's launcher creates only the parent of an output's folder. Characters that UTF-8 cannot hold, such as
        the lone surrogates of a damaged text, are written as question marks.
        """
        make_folder(folder)
        write_whole(f"{folder}/{self.FILE}", f"{self.model_dump_json(indent=2)}\n".encode("utf-8", "replace"))

    @classmethod
    def read(cls, folder: str) -> Self:
        """Read the record of a folder.

        Raises:
            FileNotFoundError: The folder has no such file.
            Refused: The file is damaged; the message names it.
        """
        path = f"{folder}/{cls.FILE}"
        try:
            return cls.model_validate_json(read_bytes(path))
        except ValidationError as error:
            raise Refused(f"{path}: is damaged ({error.errors()[0]['msg']}); restore it, or run again") from None
