"""Tests of the checks of text pairs and checkpoints that need no TensorFlow."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.check import check_configuration
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from schema.infer import infer_schema, schema_text
from tests.support.checkpoint_formats import write_google, write_preset
from tests.support.small_project import LABELS, Project, make_project

_PAIR = "examples.text_pair=answer"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Project whose data and schema have text pairs, but whose configuration does not name their column."""
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
def test_accepts_text_pairs(project: Project, truncation: str) -> None:
    check_configuration(load_configuration(project.configuration, [_PAIR, f"truncation={truncation}"]))


def test_refuses_a_second_text_that_the_schema_lacks(project: Project) -> None:
    _write_schema(project, pair=False)
    assert "no feature 'text_pair', which examples.text_pair (answer) fills; add it" in _refused(project, _PAIR)


def test_refuses_a_second_text_that_only_the_schema_has(project: Project) -> None:
    assert "has feature 'text_pair', but examples.text_pair names no column" in _refused(project)


def test_refuses_a_request_of_two_texts_to_a_model_of_single_texts(project: Project) -> None:
    _write_schema(project, pair=False)
    requests = 'canary.requests=["one", ["one", "two"]]'
    assert "canary.requests has a pair, but examples.text_pair names no column" in _refused(project, requests)


def test_refuses_too_few_tokens_for_two_texts(project: Project) -> None:
    assert "max_tokens is 4; pairs of texts need at least 5" in _refused(project, _PAIR, "max_tokens=4")


def test_refuses_a_checkpoint_with_one_segment_for_text_pairs(project: Project) -> None:
    path = project.folder / "bert" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"type_vocab_size": 1}))
    assert "has 1 segment embedding" in _refused(project, _PAIR)


def test_a_window_is_as_long_as_the_model_reads(project: Project) -> None:
    _write_schema(project, pair=False)
    content = yaml.safe_load(project.configuration.read_text())
    del content["max_tokens"]
    project.configuration.write_text(yaml.safe_dump(content))
    config = load_configuration(project.configuration, ["long_texts.windows={size: 64, stride: 60}"])
    check_configuration(config)
    assert (config.max_tokens, config.max_text_tokens) == (64, 64 + 31 * 60)
    assert Configuration.model_validate(config.model_dump(mode="json")) == config
    assert "max_tokens is 65, but checkpoint" in _refused(project, "long_texts.windows={size: 65, stride: 8}")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["max_tokens=32"], "long_texts.windows.size is 16, but max_tokens is 32"),
        (["max_tokens=16", _PAIR], "long_texts.windows: pairs of texts have no windows"),
        (["max_tokens=16", "training.export.variants=[bfloat16]"], "long_texts.windows: variants of a model have no"),
        (["max_tokens=16", "training.xla=true"], "long_texts.windows: training.xla compiles fixed shapes"),
        (["long_texts.windows.stride=15"], "key 'long_texts.windows': the stride is 15, but a window of 16 tokens has"),
        (
            ["long_texts.windows.pool=sum"],
            "key 'long_texts.windows.pool': Input should be 'max', 'mean' or",
        ),
    ],
)
def test_refuses_what_windows_cannot_be_combined_with(project: Project, overrides: list[str], message: str) -> None:
    assert message in _refused(project, "long_texts.windows={size: 16, stride: 8}", *overrides)


def test_refuses_an_unknown_truncation(project: Project) -> None:
    assert "key 'truncation': Input should be 'head' or 'head_tail', got 'tail'" in _refused(project, "truncation=tail")


@pytest.mark.parametrize("write", [write_google, write_preset])
def test_checks_checkpoints_of_other_formats(project: Project, write: Callable[[Path, Path], Path]) -> None:
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
