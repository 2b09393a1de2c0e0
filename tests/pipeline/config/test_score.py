"""Configuration of a scoring, from a pipeline's configuration and from options."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.score import score_configuration
from schema.errors import Refused
from tests.support.small_project import Project, make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("score") / "project", rows=3)


def test_takes_columns_and_beam_of_a_pipeline_without_scoring(project: Project) -> None:
    config = score_configuration(
        project.configuration,
        ["beam.workers=3"],
        {"output": "/out"},
        [str(project.data)],
        {"runner": "multi_processing"},
    )
    scoring = config.scoring
    assert (scoring.id, scoring.text, scoring.slices, scoring.format) == ("id", "text", ("channel",), "csv")
    assert (scoring.input_base, scoring.inputs[0].pattern) == (str(project.data.parent), "rows.csv")
    assert (config.name, config.beam.runner, config.beam.workers) == ("small", "multi_processing", 3)


def test_options_come_before_a_pipelines_scoring(project: Project) -> None:
    scoring = {"input_base": "data", "inputs": [{"pattern": "*.csv"}], "output": "scored", "text": "body"}
    project.configure(scoring=scoring)
    config = score_configuration(project.configuration, ["scoring.fields=[decisions]"], {"output_format": "jsonl"})
    assert config.scoring.input_base == str(project.folder / "data")
    assert config.scoring.output == str(project.folder / "scored")
    assert (config.scoring.text, config.scoring.fields, config.scoring.output_format) == (
        "body",
        ("decisions",),
        "jsonl",
    )
    project.configure(scoring=None)


@pytest.mark.parametrize(
    ("inputs", "base", "patterns"),
    [
        (["gs://b/one/a.csv", "gs://b/two/*/b.csv"], "gs://b", ["one/a.csv", "two/*/b.csv"]),
        (["/data/x/a.csv"], "/data/x", ["a.csv"]),
        (["/data/{YYYY}-{MM}-{DD}/*.csv"], "/data", ["{YYYY}-{MM}-{DD}/*.csv"]),
        (["/a.csv", "/b.csv"], "/", ["a.csv", "b.csv"]),
    ],
)
def test_finds_the_folder_that_files_have_in_common(inputs: list[str], base: str, patterns: list[str]) -> None:
    scoring = score_configuration(None, (), {"output": "/out"}, inputs).scoring
    assert (scoring.input_base, [entry.pattern for entry in scoring.inputs]) == (base, patterns)


def test_a_file_that_exists_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("text\n")
    scoring = score_configuration(None, (), {"output": "/out"}, [str(tmp_path / "a[1].csv")]).scoring
    assert scoring.inputs[0].pattern == "a[[]1].csv"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": ["a.csv"]}, "scoring.output' is missing"),
        ({"inputs": ["a.csv", "gs://b/a.csv"]}, "some files are local and some are remote"),
        ({"inputs": ["a.csv", "a.parquet"]}, r"files of several formats \(csv, parquet\)"),
        ({"inputs": ["a.xlsx"]}, "is a workbook"),
        (
            {"inputs": ["a.csv"], "options": {"output": "o", "fields": ["label"]}},
            r"fields.*did you mean 'labels'",
        ),
        ({"overrides": ["training.epochs=1"]}, r"--set training\.epochs: without --config"),
    ],
)
def test_refuses_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        score_configuration(None, **arguments)
    assert "\n" not in str(refused.value)


def test_another_format_than_the_pipelines_takes_none_of_its_settings(project: Project) -> None:
    config = score_configuration(project.configuration, ["examples.quoting=false"], {"output": "/o"}, ["/x/a.jsonl"])
    assert (config.scoring.format, config.scoring.quoting) == ("jsonl", True)
