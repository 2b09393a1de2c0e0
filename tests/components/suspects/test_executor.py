"""The step LabelSuspects on a split with soft and unknown labels, and on one that is too small for its folds."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components.suspects.artifacts import SuspectedLabels
from components.suspects.executor import Executor
from components.suspects.settings import SuspectsConfig, SuspectsSettings
from components.suspects.suspects import Suspects
from tests.components.preprocessing.transform import Row, run_transform
from tests.support.tiny_bert import write_tiny_bert

_LABELS = ("praise", "refund")
_ROWS = 40


def _row(number: int) -> Row:
    """Return a row that surely has one label or the other; some annotators gave `refund`, or nobody knows."""
    shares = {0: 0.55, 1: 0.6, 2: 0.75}
    row: dict[str, Any] = {"id": [str(number)], "text": ["the refund" if number % 2 else "my thanks"], "labels": []}
    row["text_length"] = [10]
    if number % 4 in shares:
        row |= {"soft_labels": ["refund"], "soft_scores": [shares[number % 4]]}
    else:
        row |= {"unknown_labels": ["refund"]}
    return row | {"labels": ["praise"] if number % 2 else []}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    bert = write_tiny_bert(folder / "bert")
    tokenizer = {"vocabulary": str(bert / "vocab.txt"), "lower_case": True, "max_tokens": 16, "truncation": "head"}
    run_transform(folder, [_row(number) for number in range(_ROWS)], _LABELS, tokenizer, partial=True)
    shutil.copytree(folder / "raw" / "Split-train", folder / "raw" / "Split-eval")
    return folder


def _execute(run: Path, output: Path, folds: int, soft_cut: float | None) -> Suspects:
    inputs: dict[str, Any] = {
        "examples": standard_artifacts.Examples(),
        "transform_graph": standard_artifacts.TransformGraph(),
        "schema": standard_artifacts.Schema(),
    }
    for key, folder in (("examples", "raw"), ("transform_graph", "graph"), ("schema", "schema")):
        inputs[key].uri = str(run / folder)
    found = SuspectedLabels()
    found.uri = str(output)
    config = SuspectsConfig(
        search=SuspectsSettings(folds=folds, top=3), checkpoint=str(run / "bert"), checkpoint_fingerprint="",
        soft_cut=soft_cut,
    )  # fmt: skip
    Executor().Do(
        {key: [each] for key, each in inputs.items()}, {"suspects": [found]}, {"settings": config.model_dump_json()}
    )
    return Suspects.read(str(output))


def test_shares_of_annotators_are_cut_where_the_configuration_says(run: Path, tmp_path: Path) -> None:
    found = _execute(run, tmp_path / "at 0.6", folds=2, soft_cut=0.6)
    assert (found.examples, found.folds, found.not_searched) == (_ROWS, 2, "")
    assert found.labels["refund"].given == _ROWS / 2, "0.6 and 0.75; 0.55 is below the cut, the others are unknown"
    assert found.labels["praise"].given == _ROWS / 2
    assert len(found.worst) == min(3, found.found)
    assert found.file == str(tmp_path / "at 0.6" / "suspects.csv")
    assert len((tmp_path / "at 0.6" / "suspects.csv").read_text().splitlines()) == found.found + 1
    lower = _execute(run, tmp_path / "at 0.5", folds=2, soft_cut=0.5)
    assert lower.labels["refund"].given == _ROWS * 3 / 4


def test_data_too_small_for_a_search_cost_no_run(run: Path, tmp_path: Path) -> None:
    found = _execute(run, tmp_path / "found", folds=_ROWS + 1, soft_cut=0.6)
    assert found.not_searched == "the train split has 40 examples, too few for 41 folds; give fewer folds"
    assert (found.found, found.file) == (0, "")
