"""Opening a file of any input format."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from components.common.files import DECOMPRESSION_ERRORS, open_input, open_seekable
from components.example_gen.formats.encoding import decoded
from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.formats import format_named
from components.example_gen.formats.rows import Table
from components.example_gen.formats.settings import FormatSettings
from schema.errors import Refused

_SNIFFED_BYTES = 1_000


@contextmanager
def open_table(
    path: str,
    settings: FormatSettings,
    name: str,
    *,
    columns: Collection[str] | None = None,
    objects: Collection[str] | None = (),
) -> Iterator[Table]:
    """Open a file in the configured format, lazily: rows are read as they are iterated over.

    Args:
        path: Local or remote file; *.gz is decompressed, unless the format forbids it.
        settings: Format of the file.
        name: Name of the file in messages.
        columns: Columns to read; None reads all of them.
        objects: Columns whose cells may be objects; None: all.

    Raises:
        Refused: The path is not a file or cannot be opened; the file is empty; its columns, or all rows at its
            beginning, cannot be read.
        ValueError: The format is not one of files.
    """
    file_format = format_named(settings.format)
    with _open_file(path, file_format, name) as stream, decoded(stream, settings.encoding, name) as text:
        yield file_format.read_table(text, _options(settings, name, columns, objects))


def refuse_other_format(path: str, settings: FormatSettings, name: str) -> None:
    """Refuse a file that is plainly not of the configured format, judging by its first bytes.

    Args:
        path: Local or remote file.
        settings: Format that the file should have.
        name: Name of the file in messages.

    Raises:
        Refused: The file is of another format, empty or missing, or cannot be opened or decompressed.
    """
    file_format = format_named(settings.format)
    try:
        with _open_file(path, file_format, name) as stream, decoded(stream, settings.encoding, name) as text:
            head = text.read(_SNIFFED_BYTES)
    except DECOMPRESSION_ERRORS as error:
        raise Refused(f"{name}: cannot be decompressed ({error}); it is cut short or not a gzip file") from None
    if not head:
        raise Refused(f"{name}: the file is empty; remove it or fill it")
    if problem := file_format.sniff(head, _options(settings, name, None, ())):
        raise Refused(f"{name}: {problem}")


def _open_file(path: str, file_format: Format, name: str) -> BinaryIO:
    try:
        return open_input(path) if file_format.is_gzip_allowed else open_seekable(path)
    except IsADirectoryError:
        raise Refused(f"{name}: is a folder; name the files in it") from None
    except FileNotFoundError:
        raise Refused(f"{name}: no such file") from None
    except PermissionError as error:
        raise Refused(f"{name}: cannot be read ({error.strerror}); change its permissions") from None


def _options(
    settings: FormatSettings, name: str, columns: Collection[str] | None, objects: Collection[str] | None
) -> FileOptions:
    return FileOptions(
        name,
        wanted=None if columns is None else frozenset(columns),
        quoting=settings.quoting,
        columns=settings.columns,
        separator=settings.separator,
        escape=settings.escape,
        objects=None if objects is None else frozenset(objects),
    )
