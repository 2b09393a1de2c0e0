"""Small data sets, and settings that read them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, cast

from components.example_gen.formats.rows import Rejected, Row
from components.example_gen.settings import ExamplesSettings

TRAIN_EVAL_TEST = ({"pattern": "*.csv", "split": {"train": 2, "eval": 1, "test": 1}},)


def settings_for(base: Path | str, **changes: Any) -> ExamplesSettings:
    """Return settings for CSV files with the columns text and labels in `base`, with changes."""
    values: dict[str, Any] = {
        "input_base": str(base),
        "labels": {"kind": "delimited", "column": "labels"},
        "inputs": TRAIN_EVAL_TEST,
    }
    return ExamplesSettings.model_validate(values | changes)


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file, and the folders that it needs; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_text(rows: Iterable[str], header: str = "text,labels") -> str:
    """Return lines below a header."""
    return "\n".join((header, *rows)) + "\n"


def distinct_rows(count: int = 40) -> list[str]:
    """Return lines with different texts, enough that a hash fills three splits."""
    return [f"text number {number},{'joy|anger' if number % 2 else ''}" for number in range(count)]


def to_stream(content: bytes) -> BinaryIO:
    """Return bytes as a buffered stream."""
    return cast(BinaryIO, io.BufferedReader(io.BytesIO(content)))


def accepted(rows: Iterable[Row | Rejected]) -> list[Row]:
    """Return the rows that could be read."""
    return [row for row in rows if isinstance(row, Row)]


def rejected(rows: Iterable[Row | Rejected]) -> list[Rejected]:
    """Return the rows that could not be read."""
    return [row for row in rows if isinstance(row, Rejected)]
