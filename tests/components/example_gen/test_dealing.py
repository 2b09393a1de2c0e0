"""Stratified splits, from files to artifacts: shares of labels, groups and copies, and data that grow."""

import csv
import io
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.report import IngestReport
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS, Split
from components.stratification.memory import remember
from tests.components.example_gen.support import settings_for, write_file
from tests.components.example_gen.test_executor import Features, Ingested

_LABELS = {"common": 0.4, "some": 0.1, "rare": 0.02}
_SPLIT = {"train": 8, "eval": 1, "test": 1}


def _rows(count: int, seed: int) -> list[list[str]]:
    """Return rows of text, labels and user; some texts are copies, and some rows are of a user with several."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        labels = "|".join(label for label, share in _LABELS.items() if rng.random() < share)
        user = f"user {rng.randrange(20)}" if rng.random() < 0.1 else ""
        text = f"Text {seed}-{number}" if user or rng.random() < 0.9 else f"copied {rng.randrange(40)}"
        rows.append([text, labels, user])
    return rows


def _write(path: Path, rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([["text", "labels", "user"], *rows])
    write_file(path, stream.getvalue())


def _settings(folder: Path, **changes: Any) -> ExamplesSettings:
    inputs = ({"pattern": "*.csv", "split": _SPLIT},)
    return settings_for(folder, **{"inputs": inputs, "split_by": "stratified", "group": "user"} | changes)


def _splits(ingested: Ingested) -> dict[str, str]:
    """Return the split of each text."""
    found: dict[str, str] = {}
    for split in SPLITS:
        for example in ingested.split(split):
            assert found.setdefault(example["text"][0].casefold(), split) == split
    return found


def _shares(examples: Mapping[Split, list[Features]], label: str) -> list[float]:
    counts = [sum(label in example["labels"] for example in examples[split]) for split in SPLITS]
    return [count / sum(counts) for count in counts]


def test_labels_are_shared_out_groups_stay_whole_and_a_row_stays_in_its_split(tmp_path: Path) -> None:
    data, registry = tmp_path / "data", str(tmp_path / "registry")
    (tmp_path / "registry").mkdir()
    first_rows, more_rows = _rows(1_500, 1), _rows(1_500, 2)
    _write(data / "first.csv", first_rows)
    first = Ingested(tmp_path / "first", _settings(data), registry=registry, input_fingerprint="a")
    examples = {split: first.split(split) for split in SPLITS}
    for label in _LABELS:
        assert _shares(examples, label) == pytest.approx([0.8, 0.1, 0.1], abs=0.03), label
    assert [len(examples[split]) / 1_500 for split in SPLITS] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    splits = _splits(first)
    of_users = Counter((user, splits[text.casefold()]) for text, _, user in first_rows if user)
    assert len(of_users) == len({user for user, _ in of_users})

    remember(registry, first.quarantine.uri)
    _write(data / "more.csv", more_rows)
    grown = Ingested(tmp_path / "grown", _settings(data), registry=registry, input_fingerprint="b")
    after = _splits(grown)
    assert {text: after[text] for text in splits} == splits
    examples = {split: grown.split(split) for split in SPLITS}
    for label in _LABELS:
        assert _shares(examples, label) == pytest.approx([0.8, 0.1, 0.1], abs=0.03), label
    # Without what the registry remembers, some rows would change their split.
    anew = Ingested(tmp_path / "anew", _settings(data))
    assert _splits(anew) != after
    assert IngestReport.read(anew.quarantine.uri).accepted == 3_000


def test_files_of_one_split_and_merged_rows_are_dealt_with_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    _write(data / "a" / "rows.csv", [[f"text {number}", label, ""] for number in range(200) for label in ("x", "y")])
    _write(data / "b" / "rows.csv", [[f"tested {number}", "x", ""] for number in range(30)])
    inputs = ({"pattern": "a/*.csv", "split": {"train": 9, "eval": 1}}, {"pattern": "b/*.csv", "split": "test"})
    ingested = Ingested(tmp_path, _settings(data, inputs=inputs, copies="merge"))
    assert [len(ingested.split(split)) for split in SPLITS] == [180, 20, 30]
    assert all(example["labels"] == ["x", "y"] for example in ingested.split("train"))
