"""Table of the input formats. A new format is one module and one entry here."""

from components.example_gen.formats.delimited import CSV, TSV
from components.example_gen.formats.format import Format
from components.example_gen.formats.json_lines import JSON_LINES
from components.example_gen.formats.parquet import PARQUET
from components.example_gen.formats.tfrecord import TFRECORD
from schema.errors import Refused
from schema.nearest import nearest

FORMATS: tuple[Format, ...] = (CSV, TSV, JSON_LINES, PARQUET, TFRECORD)


# Endings of files that are in none of the formats, and what to do about them.
_OTHER_FILES = {
    (".zip",): "is a ZIP archive; unpack it: python -m zipfile -e FILE FOLDER",
    (".tar", ".tgz", ".tar.gz", ".7z", ".rar"): "is an archive; unpack it",
    (".bz2", ".xz", ".zst", ".lz4"): "is compressed in a way that is not read; decompress it, or compress it with gzip",
    (".xlsx", ".xls", ".ods", ".xlsm"): "is a workbook; save the sheet as CSV in UTF-8",
    (".arrow", ".feather", ".orc", ".avro"): "is not in one of the formats; write it as Parquet",
    (".spacy",): "is spaCy's DocBin; write text and cats of each doc as an object per line (.jsonl)",
    (
        ".npz",
        ".npy",
        ".h5",
        ".hdf5",
        ".sav",
        ".dta",
        ".rds",
        ".rda",
    ): "is not in one of the formats; write it as Parquet",
    (".db", ".sqlite", ".sqlite3"): "is a database; export the table as CSV",
    (".xml", ".html", ".htm", ".yaml", ".yml", ".md", ".pdf", ".docx"): "is not in one of the formats; write it as CSV,"
    " or as an object per line (.jsonl)",
    (".pkl", ".pickle"): "is a pickle; write it as Parquet: df.to_parquet(FILE)",
}


def format_names() -> list[str]:
    """Return the names of all formats."""
    return [entry.name for entry in FORMATS]


def format_named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        ValueError: There is no such format.
    """
    for entry in FORMATS:
        if entry.name == name:
            return entry
    raise ValueError(f"no file format '{name}'; {nearest(name, format_names())}")


def format_of_file(file_name: str) -> Format:
    """Return the format that a file's name stands for, in upper or lower case, with or without .gz.

    Raises:
        Refused: The name ends in no format's suffix.

    Example:
        >>> format_of_file("comments.NDJSON.gz").name
        'jsonl'
    """
    lower = file_name.lower()
    for entry in FORMATS:
        stem = lower.removesuffix(".gz") if entry.is_gzip_allowed else lower
        if stem.endswith(entry.suffixes):
            return entry
    for endings, problem in _OTHER_FILES.items():
        if lower.endswith(endings):
            raise Refused(f"{file_name}: {problem}")
    suffixes = ", ".join(entry.suffixes[0] + ("[.gz]" if entry.is_gzip_allowed else "") for entry in FORMATS)
    hint = "; fastText's lines become objects with text and labels, one per line" if lower.endswith(".txt") else ""
    raise Refused(f"{file_name}: no format has this suffix; rename it to end in one of {suffixes}{hint}")
