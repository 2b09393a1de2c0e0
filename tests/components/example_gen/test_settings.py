"""Validation of the `examples` block."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.example_gen.parsing.settings import IndexedLabels, IndicatorLabels
from components.example_gen.settings import ExamplesSettings
from tests.components.example_gen.support import settings_for


def test_parses_labels_by_their_kind() -> None:
    indicators = settings_for("d", labels={"kind": "indicators", "columns": ["toxic", "insult"]})
    indices = settings_for("d", labels={"kind": "indices", "column": "labels", "names": "labels.txt"})
    assert isinstance(indicators.labels, IndicatorLabels)
    assert isinstance(indices.labels, IndexedLabels)
    assert indices.labels.delimiter == ","


def test_reads_settings_back_from_json() -> None:
    settings = settings_for("d", id="id", slices=["channel"], columns=["id", "text", "labels", "channel"])
    assert ExamplesSettings.model_validate_json(settings.model_dump_json()) == settings


def test_documents_every_key() -> None:
    schema = ExamplesSettings.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    for model in models:
        for name, field in model.get("properties", {}).items():
            assert field.get("description"), f"{model['title']}.{name}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": [{"pattern": "*", "split": {"train": 9, "eval": 1}}]}, "no 'test' split"),
        ({"inputs": [{"pattern": "*", "split": "dev"}]}, "'train', 'eval' or 'test'"),
        ({"inputs": [{"pattern": "*", "split": {"train": 0, "eval": 1, "test": 1}}]}, "greater than 0"),
        ({"inputs": [{"pattern": "*", "split": {}}]}, "at least 1 item"),
        ({"inputs": []}, "inputs fill no 'train' split"),
        ({"slices": ["text"]}, "slices cannot have a column named 'text'"),
        ({"id": "key", "slices": ["id"]}, "slices cannot have a column named 'id'"),
        ({"slices": ["channel", "channel"]}, "column 'channel' is used twice"),
        ({"id": "text"}, "column 'text' is used twice"),
        ({"labels": {"kind": "indicators", "columns": ["toxic", "text"]}}, "column 'text' is used twice"),
        ({"labels": {"kind": "delimited", "column": "labels", "delimiter": ""}}, "at least 1 character"),
        ({"labels": {"kind": "onehot", "column": "labels"}}, "'delimited', 'indicators', 'indices'"),
        ({"columns": ["txt", "labels"]}, "columns has no 'text' (it has: txt, labels)"),
        ({"columns": ["text", "labels", "text"]}, "columns names the same column twice"),
        ({"split_by": "id"}, "split_by is 'id', but id is null"),
        ({"separators": ";"}, "Extra inputs are not permitted"),
        ({"separator": ";", "format": "jsonl"}, "separator is set, but jsonl has no fields between separators"),
        ({"escape": "\\", "quoting": False}, "escape needs quoting"),
        ({"escape": '"'}, "escape cannot be a quote or a line end"),
        ({"encoding": "klingon"}, "no encoding 'klingon'; usual ones are utf-8, utf-16, windows-1252"),
        ({"encoding": "base64"}, "no encoding 'base64'"),
        ({"encoding": "utf-16", "format": "parquet"}, "encoding is utf-16, but parquet is no text"),
    ],
)
def test_refuses_invalid_settings_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings_for("d", **changes)
    (error,) = refused.value.errors()
    assert message in error["msg"]
    assert "\n" not in error["msg"]


def test_orders_weights_by_split() -> None:
    first = settings_for("d", inputs=[{"pattern": "*", "split": {"train": 8, "eval": 1, "test": 1}}])
    second = settings_for("d", inputs=[{"pattern": "*", "split": {"test": 1, "eval": 1, "train": 8}}])
    assert first.inputs[0].weights == second.inputs[0].weights == (("train", 8), ("eval", 1), ("test", 1))


def test_imports_neither_tensorflow_nor_beam() -> None:
    code = (
        "import sys, components.example_gen.settings, components.example_gen.check\n"
        "import components.example_gen.report\n"
        "print([name for name in ('tensorflow', 'apache_beam', 'tfx', 'pyarrow') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert process.stdout.strip() == "[]"
