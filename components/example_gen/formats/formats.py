"""Opens a file of any input format as a table."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from components.common.files import open_input, open_seekable
from components.example_gen.formats import delimited, json_lines
from components.example_gen.formats.rows import Table
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused


@contextmanager
def open_table(path: str, settings: ExamplesSettings, name: str, *, every_column: bool = False) -> Iterator[Table]:
    """Opens a file in the configured format, lazily: its rows are read as they are asked for.

    Args:
        path: Local or remote; *.gz is decompressed, except Parquet, which is compressed inside.
        settings: Give the format and the columns to read.
        name: What messages call the file.
        every_column: Read all columns, not only those that the settings use.

    Raises:
        Refused: It is no file or cannot be opened; it is empty; its columns or all of its first rows cannot be read.
    """
    wanted = None if every_column else frozenset(settings.used_columns)
    with open_file(path, settings, name) as stream:
        yield _read(stream, settings, wanted, name)


def open_file(path: str, settings: ExamplesSettings, name: str) -> BinaryIO:
    """Opens the bytes that a file of the configured format is read from.

    Raises:
        Refused: It is no file or cannot be opened.
    """
    try:
        return open_seekable(path) if settings.format == "parquet" else open_input(path)
    except IsADirectoryError:
        raise Refused(f"{name}: is a folder; name the files in it") from None
    except FileNotFoundError:
        raise Refused(f"{name}: no such file") from None
    except PermissionError as error:
        raise Refused(f"{name}: cannot be read ({error.strerror}); change its permissions") from None


def _read(stream: BinaryIO, settings: ExamplesSettings, wanted: Collection[str] | None, name: str) -> Table:
    match settings.format:
        case "csv" | "tsv":
            return delimited.read_table(stream, settings, name)  # a row is cut into all its fields in any case
        case "jsonl":
            return json_lines.read_table(stream, wanted, name)
        case "parquet":
            from components.example_gen.formats import (
                parquet,  # with pyarrow, which the other formats need not wait for
            )

            return parquet.read_table(stream, wanted, name)
        case "tfrecord":
            from components.example_gen.formats import tfrecord  # with TensorFlow

            return tfrecord.read_table(stream, wanted, name)
        case _:
            raise ValueError("bigquery has queries, not files")
