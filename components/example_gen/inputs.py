"""Finds the input files and refuses, before anything runs, what could never become a data set.

Only the head of each file is read, and neither TensorFlow nor Beam is imported (unless a path is remote).
"""

import difflib
import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from components.example_gen import delimited
from components.example_gen.columns import find_columns
from components.example_gen.labels import read_label_names
from components.example_gen.rows import Table
from components.example_gen.settings import ExamplesSettings, InputFiles
from components.files import DECOMPRESSION_ERRORS, is_remote, list_files, literal, open_input, size_of
from schema.errors import Refused

_SNIFFED_BYTES = 1_000
_MOST_FILES_COMPARED = 1_000
# What a file begins with that is not text in UTF-8, and what to do about it.
_NOT_UTF8_TEXT = {
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook; export it as text in UTF-8",
    b"\x1f\x8b": "is compressed with gzip; give it a name that ends in .gz",
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read.

    Attributes:
        order: Its position among all files; the first occurrence of anything is told by it.
        input: The index of its entry in `settings.inputs`.
        path: What to open.
        name: The path relative to input_base, for ids and reports, which should not depend on the machine.
        size: Bytes, as stored.
    """

    order: int
    input: int
    path: str
    name: str
    size: int


def check_inputs(settings: ExamplesSettings) -> tuple[InputFile, ...]:
    """Finds every input file and reads its head.

    Returns:
        The files, in the order of the inputs and, within one, of their paths.

    Raises:
        Refused: A pattern matches no file, or a file that another one matches too; a file is empty, is not text in
            UTF-8, has no row but its header, lacks a column or has two of one name; the list of labels is missing.
    """
    read_label_names(settings)
    files: list[InputFile] = []
    seen: dict[str, str] = {}
    for index, entry in enumerate(settings.inputs):
        for path in _matching(settings, index, entry):
            if path in seen:
                raise Refused(
                    f"{display(path)}: matches both '{seen[path]}' and '{entry.pattern}'; give examples.inputs patterns"
                    " that share no file"
                )
            seen[path] = entry.pattern
            _check_head(path, settings)
            name = path.removeprefix(settings.input_base.rstrip("/") + "/")
            files.append(InputFile(len(files), index, path, name, size_of(path)))
    return tuple(files)


def read_table(stream: BinaryIO, settings: ExamplesSettings, name: str) -> Table:
    """Reads an open file in the configured format, lazily: its rows come from the stream as they are asked for.

    Raises:
        Refused: The file is empty, or its header cannot be read.
    """
    # CSV and TSV are one format with two delimiters; another format is another module with the same function.
    return delimited.read_table(stream, settings, name)


def display(path: str) -> str:
    """The path as a user would write it: relative, where it lies below the working directory."""
    return path if is_remote(path) or not Path(path).is_relative_to(Path.cwd()) else os.path.relpath(path)


def _matching(settings: ExamplesSettings, index: int, entry: InputFiles) -> list[str]:
    base = settings.input_base.rstrip("/")
    if not is_remote(base) and not Path(base).is_dir():
        raise Refused(f"{display(base)}: no such folder; set examples.input_base")
    if Path(entry.pattern).is_absolute():
        raise Refused(f"'{entry.pattern}' is not relative to examples.input_base; set examples.inputs[{index}].pattern")
    paths = list_files(f"{literal(base)}/{entry.pattern}")
    if not paths:
        raise Refused(
            f"{display(base)}: no file matches '{entry.pattern}'{_nearest_file(base, entry.pattern)}; set"
            f" examples.inputs[{index}].pattern"
        )
    return paths


def _nearest_file(base: str, pattern: str) -> str:
    if is_remote(base):
        return ""
    there = glob.iglob("**", root_dir=base, recursive=True)  # noqa: PTH207 - of names relative to base
    names = [name for name, _ in zip(there, range(_MOST_FILES_COMPARED), strict=False) if Path(base, name).is_file()]
    nearest = difflib.get_close_matches(pattern, names, n=1)
    return f" (there is '{nearest[0]}')" if nearest else ""


def _check_head(path: str, settings: ExamplesSettings) -> None:
    name = display(path)
    try:
        with open_input(path) as stream:
            _refuse_what_is_no_text(stream.read(_SNIFFED_BYTES), name, has_header=settings.columns is None)
        with open_input(path) as stream:
            _check_table(read_table(stream, settings, name), settings, name)
    except DECOMPRESSION_ERRORS as error:
        raise Refused(f"{name}: cannot be decompressed ({error}); it is cut short or no gzip file") from None
    except PermissionError as error:
        raise Refused(f"{name}: cannot be read ({error.strerror}); change its permissions") from None


def _check_table(table: Table, settings: ExamplesSettings, name: str) -> None:
    find_columns(table.columns, settings, name)
    if next(table.rows, None) is None:
        what = "the file is empty" if settings.columns is not None else "there is no row below the header"
        raise Refused(f"{name}: {what}; remove it or fill it")


def _refuse_what_is_no_text(head: bytes, name: str, has_header: bool) -> None:
    for start, verdict in _NOT_UTF8_TEXT.items():
        if head.startswith(start):
            raise Refused(f"{name}: {verdict}")
    # NUL may be part of a text, but every other byte of UTF-16 is NUL where the text is Latin, and no header has any.
    nuls = head.partition(b"\n")[0].count(0) if has_header else 0
    if nuls or head.count(0) > len(head) // 4:
        raise Refused(f"{name}: is UTF-16 or binary (it has NUL bytes); save it as text in UTF-8")
