"""Base classes of what steps find out and leave in files, for other steps, reports and programs.

Settings are what a person chooses, and refuse unknown keys. Records are immutable as well, but ignore unknown keys, so
that a file of a newer version can still be read.
"""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from components.common.files import make_folder, read_bytes, write_whole
from schema.errors import Refused


class Value(BaseModel):
    """Immutable part of a record."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Record(Value):
    """JSON file in a folder, local or remote, written atomically.

    Attributes:
        FILE: Name of the file in its folder.
        INDENT: Indentation of the file; None for one line, for records with very many numbers.

    Example:
        >>> import tempfile
        >>> class Count(Record):
        ...     FILE = "count.json"
        ...     rows: int
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Count(rows=3).write(folder)
        ...     Count.read(folder).rows
        3
    """

    FILE: ClassVar[str]
    INDENT: ClassVar[int | None] = 2

    def write(self, folder: str) -> None:
        """Write the record into a folder, which is created if it does not exist.

        Kubeflow's launcher creates only the parent of an output's folder.
        """
        make_folder(folder)
        write_whole(f"{folder}/{self.FILE}", f"{self.model_dump_json(indent=self.INDENT)}\n".encode())

    @classmethod
    def read(cls, folder: str) -> Self:
        """Read the record of a folder.

        Raises:
            FileNotFoundError: The folder has no such file.
            Refused: The file is damaged or cannot be read; the message names it.
        """
        path = f"{folder}/{cls.FILE}"
        try:
            return cls.model_validate_json(read_bytes(path))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Refused(f"{path}: cannot be read ({error.strerror or error}); restore it, or run again") from None
        except RecursionError:  # in a validator of ours
            raise Refused(f"{path}: is damaged (nested too deeply); restore it, or run again") from None
        except ValidationError as error:
            raise Refused(f"{path}: is damaged ({error.errors()[0]['msg']}); restore it, or run again") from None
