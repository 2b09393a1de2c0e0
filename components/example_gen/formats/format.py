"""Input format as the table in `formats.py` lists it, and the options with which its files are read."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import BinaryIO

from components.example_gen.formats.rows import Table


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Options with which a file of any format is read.

    Attributes:
        name: Name of the file in messages.
        wanted: Columns to read; None reads all of them.
        quoting: Delimited formats: whether a double quote at the start of a field encloses it.
        columns: Delimited formats: column names of a file without a header; None if the first row is the header.
        separator: Delimited formats: character between two fields; None for the usual one of the format.
        escape: Delimited formats: character that takes the meaning from the one after it; None if there is none.
        objects: Columns whose cells may be objects, of which a label parser makes labels; None: all columns.
    """

    name: str
    wanted: Collection[str] | None = None
    quoting: bool = True
    columns: tuple[str, ...] | None = None
    separator: str | None = None
    escape: str | None = None
    objects: Collection[str] | None = ()


@dataclass(frozen=True, slots=True)
class Format:
    """Input format.

    Attributes:
        name: Value of `examples.format`.
        description: What a file of the format holds, for the configuration's reference.
        suffixes: Endings of file names that stand for the format, in lower case; the first one is the usual one.
        sniff: Takes the first bytes of a file that is not empty. Returns why it cannot be of the format and what to
            do, to be read after "FILE: "; "" if nothing speaks against it.
        read_table: Takes the bytes of a file and reads it lazily. Raises Refused if the file is empty or its columns
            cannot be read.
        is_gzip_allowed: Whether *.gz files are decompressed. If not, the stream is seekable and as stored.
        has_header: Whether the first row of a file names the columns.
        wraps_in_lists: Whether every cell is a list, single values included.
        separator: Character that usually stands between two fields; "" in formats that have none.
        is_text: Whether files are text, which has an encoding.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes, FileOptions], str]
    read_table: Callable[[BinaryIO, FileOptions], Table]
    is_gzip_allowed: bool = True
    has_header: bool = False
    wraps_in_lists: bool = False
    separator: str = ""
    is_text: bool = False
