"""What is refused of pairs and checkpoints before TensorFlow is imported."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.check import check_configuration
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from schema.infer import infer_schema, schema_text
from tests.support.checkpoint_formats import write_google, write_preset
from tests.support.small_project import LABELS, Project, make_project

_PAIR = "examples.text_pair=answer"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of pairs, but for the key that says so."""
    project = make_project(tmp_path / "project", rows=20)
    with project.data.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with project.data.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*header, "answer"], *([*row, "thanks"] for row in rows)])
    _write_schema(project, pair=True)
    return project


def _write_schema(project: Project, *, pair: bool) -> None:
    schema = infer_schema(LABELS, ["channel"], pair=pair)
    (project.folder / "schema.pbtxt").write_text(schema_text(schema))


def _refused(project: Project, *overrides: str) -> str:
    with pytest.raises(Refused) as refused:
        check_configuration(load_configuration(project.configuration, overrides))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("truncation", ["head", "head_tail"])
def test_pairs_that_fit_are_accepted(project: Project, truncation: str) -> None:
    check_configuration(load_configuration(project.configuration, [_PAIR, f"truncation={truncation}"]))


def test_a_second_text_that_the_schema_does_not_have(project: Project) -> None:
    _write_schema(project, pair=False)
    assert "no feature 'text_pair', which examples.text_pair (answer) fills; add it" in _refused(project, _PAIR)


def test_a_second_text_that_only_the_schema_has(project: Project) -> None:
    assert "has feature 'text_pair', but examples.text_pair names no column" in _refused(project)


def test_a_request_of_two_texts_where_a_model_takes_one(project: Project) -> None:
    _write_schema(project, pair=False)
    asked = 'canary.requests=["one", ["one", "two"]]'
    assert "canary.requests has a pair, but examples.text_pair names no column" in _refused(project, asked)


def test_too_few_tokens_for_two_texts(project: Project) -> None:
    assert "max_tokens is 4; pairs of texts need at least 5" in _refused(project, _PAIR, "max_tokens=4")


def test_a_checkpoint_that_cannot_tell_two_texts_apart(project: Project) -> None:
    path = project.folder / "bert" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"type_vocab_size": 1}))
    assert "has 1 segment embedding" in _refused(project, _PAIR)


def test_a_way_to_cut_that_is_none(project: Project) -> None:
    assert "key 'truncation': Input should be 'head' or 'head_tail', got 'tail'" in _refused(project, "truncation=tail")


@pytest.mark.parametrize("write", [write_google, write_preset])
def test_checkpoints_of_other_formats(project: Project, write: Callable[[Path, Path], Path]) -> None:
    folder = write(project.folder / "other", project.folder / "bert")
    checkpoint = f"checkpoint={folder}"
    check_configuration(load_configuration(project.configuration, [_PAIR, checkpoint]))
    assert "has 64 positions; lower max_tokens" in _refused(project, _PAIR, checkpoint, "max_tokens=65")
    (vocabulary,) = folder.rglob("vocab*.txt")
    with vocabulary.open("a") as file:
        file.write("surplus\n")
    assert "34 tokens, the embedding table 33 rows; they belong to different models" in _refused(
        project, _PAIR, checkpoint
    )
