"""Small data sets, and the settings that read them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, cast

from components.example_gen.formats.rows import Rejected, Row
from components.example_gen.settings import ExamplesSettings

TRAIN_EVAL_TEST = ({"pattern": "*.csv", "split": {"train": 2, "eval": 1, "test": 1}},)


def settings_for(base: Path | str, **changes: Any) -> ExamplesSettings:
    """Settings for CSV files of text,labels under `base`, with changes."""
    values: dict[str, Any] = {
        "input_base": str(base),
        "labels": {"kind": "delimited", "column": "labels"},
        "inputs": TRAIN_EVAL_TEST,
    }
    return ExamplesSettings.model_validate(values | changes)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_of(rows: Iterable[str], header: str = "text,labels") -> str:
    return "\n".join((header, *rows)) + "\n"


def many_rows(count: int = 40) -> list[str]:
    """Enough different texts that a hash fills three splits."""
    return [f"text number {number},{'joy|anger' if number % 2 else ''}" for number in range(count)]


def stream_of(content: bytes) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(io.BytesIO(content)))


def accepted(rows: Iterable[Row | Rejected]) -> list[Row]:
    return [row for row in rows if isinstance(row, Row)]


def rejected(rows: Iterable[Row | Rejected]) -> list[Rejected]:
    return [row for row in rows if isinstance(row, Rejected)]
