"""Tests of `labels` and, for retired labels and remote registries, of `predict`."""

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.label_columns import add_column
from cli.label_list import Target, add_label
from cli.main import app
from cli.prediction import predict_texts
from components.example_gen.parsing.settings import IndicatorLabels
from components.registry.store import copy_model
from pipeline.config.loading import load_configuration
from pipeline.console import PlainConsole
from schema.errors import Refused
from schema.infer import infer_schema, schema_text
from schema.label_list import LabelList, label_list, read_schema
from tests.components.evaluation import small_model
from tests.support.small_project import Project, make_project


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.pbtxt"
    path.write_text("# Owner: support\n" + schema_text(infer_schema(["billing", "refund", "shipping"], [])))
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=10)


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["labels", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _labels(path: Path) -> LabelList:
    return label_list(read_schema(str(path)))


def test_records_and_removes_an_implication(schema: Path) -> None:
    printed = _run("imply", "refund", "billing", "--schema", schema)
    assert "'refund' implies 'billing'." in printed
    assert "'refund' is never given without 'billing'" in printed
    assert _labels(schema).implies == {"refund": ("billing",)}
    assert "implies" in _run("list", "--schema", schema)
    result = CliRunner().invoke(app, ["labels", "imply", "billing", "refund", "--schema", str(schema)])
    assert isinstance(result.exception, Refused | SystemExit)
    assert "'refund' no longer implies 'billing'." in _run("imply", "refund", "billing", "--remove", "--schema", schema)
    assert _labels(schema).implies == {}


def test_of_two_changes_at_once_none_is_lost(schema: Path) -> None:
    console = PlainConsole(file=io.StringIO())
    names = [f"label {number}" for number in range(20)]
    with ThreadPoolExecutor(len(names)) as pool:  # locks of descriptors of their own, as processes have
        list(pool.map(lambda name: add_label(console, Target(schema), name), names))
    assert sorted(_labels(schema).names[3:]) == sorted(names)


_LINES = "    columns:\n    # what the agents tick\n    - billing\n    - refund  # money\n{}  slices: [x]\n"
_BRACKETS = "    columns: [billing, refund{}]  # two\n"
_BRACKETS_OVER_LINES = "    columns: [\n      billing,\n      refund{}\n    ]\n"


@pytest.mark.parametrize(
    ("columns", "added"),
    [(_LINES, "    - late delivery\n"), (_BRACKETS, ", late delivery"), (_BRACKETS_OVER_LINES, ", late delivery")],
    ids=["a line each", "in brackets", "in brackets over lines"],
)
def test_adds_a_column_to_the_configuration(tmp_path: Path, columns: str, added: str) -> None:
    start = "# Owner: support\nexamples:\n  labels:\n    kind: indicators\n"
    path = tmp_path / "pipeline.yaml"
    path.write_text(start + columns.format(""))
    edited = start + columns.format(added)
    assert add_column(path, "late delivery") == edited
    path.write_text(edited)
    assert add_column(path, "late delivery") == edited, "it has it already"


def test_refuses_to_edit_a_list_that_is_written_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("a: &a {columns: [billing]}\nexamples: {labels: {kind: indicators, <<: *a}}\n")
    with pytest.raises(Refused, match="cannot be edited as it is written; add 'x' to it"):
        add_column(path, "x")


def test_adds_a_label_of_0_1_columns_to_schema_and_configuration(project: Project) -> None:
    names = ["account", "praise", "refund"]
    project.configure(
        examples={
            "input_base": "data",
            "labels": {"kind": "indicators", "columns": names},
            "inputs": [{"pattern": "*.csv", "split": {"train": 6, "eval": 2, "test": 2}}],
        },
        evaluation={"gates": []},
    )
    printed = _run("add", "late", "--config", project.configuration)
    assert "the files need a column 'late'" in printed
    assert _labels(project.folder / "schema.pbtxt").names == (*names, "late")
    labels = load_configuration(project.configuration).examples.labels
    assert isinstance(labels, IndicatorLabels)
    assert labels.columns == (*names, "late")


def test_adds_renames_retires_and_brings_back_labels(schema: Path) -> None:
    before = schema.read_text()
    printed = _run("add", "praise", "--schema", schema)
    change, next_run = printed.splitlines()
    assert change == f"{schema}: 'praise' is added at index 3, after the others."
    assert next_run.startswith("Next run: trains a model with 4 outputs; rows may have 'praise'; gates against")
    assert "'refund' is now called 'money back', at the same index 1." in _run(
        "rename", "refund", "money back", "--schema", schema
    )
    printed = _run("retire", "billing", "--schema", schema)
    assert "'billing' is retired; its index 0 is not used again." in printed
    assert "output 0 is always 0" in printed
    assert _labels(schema) == LabelList(
        ("billing", "money back", "shipping", "praise"), frozenset({"billing"}), {"refund": "money back"}
    )
    rows = [line.split("│")[1:-1] for line in _run("list", "--schema", schema).splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["0", "billing", "retired", ""],
        ["1", "money back", "", "refund"],
        ["2", "shipping", "", ""],
        ["3", "praise", "", ""],
    ]
    assert "in use again, at its old index 0" in _run("add", "billing", "--schema", schema)
    assert schema.read_text().startswith("# Owner: support\n")
    assert len(schema.read_text().splitlines()) == len(before.splitlines()) + 4  # a value, an annotation of a tag
    assert [path.name for path in schema.parent.iterdir()] == ["schema.pbtxt"], "nothing is left beside it"


def test_warns_of_gates_in_the_configuration_that_the_change_breaks(project: Project) -> None:
    project.configure(evaluation={"gates": ["f1[refund] >= 0.5", "macro_f1 >= 0.1"]})
    printed = _run("retire", "refund", "--config", project.configuration)
    assert "warning: evaluation.gates will be refused: gate 'f1[refund] >= 0.5': label 'refund' is retired" in printed
    assert _labels(project.folder / "schema.pbtxt").retired == {"refund"}
    assert "warning" not in _run("add", "refund", "--config", project.configuration)
    assert "was renamed to 'money'; use the new name" in _run(
        "rename", "refund", "money", "--config", project.configuration
    )


def test_warns_if_the_file_loses_its_layout(schema: Path) -> None:
    schema.write_text(
        schema.read_text().replace('domain: "labels"', 'domain: "labels" annotation { tag: ["retired:billing"] }')
    )
    assert "warning: the file had to be written from scratch" in _run("add", "billing", "--schema", schema)
    assert _labels(schema) == LabelList(("billing", "refund", "shipping"))


def test_keeps_a_symbolic_link_and_the_permissions(schema: Path, tmp_path: Path) -> None:
    schema.chmod(0o640)
    link = tmp_path / "link.pbtxt"
    link.symlink_to(schema.name)
    _run("add", "praise", "--schema", link)
    assert link.is_symlink()
    assert schema.stat().st_mode & 0o777 == 0o640
    assert "praise" in _labels(schema).names


def test_accepts_names_that_look_like_markup_or_an_option(schema: Path) -> None:
    assert "'[bold]x' is added" in _run("add", "[bold]x", "--schema", schema)
    assert "'-x' is added" in _run("add", "--schema", schema, "--", "-x")
    assert "[bold]x" in _run("list", "--schema", schema)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["add", "x"], "either --schema FILE or --config FILE"),
        (["retire", "refnd", "--schema", "schema.pbtxt"], "there is no label 'refnd'; did you mean 'refund'?"),
        (["add", "x", "--schema", "other.pbtxt"], "other.pbtxt: no such schema"),
    ],
)
def test_a_refusal_changes_nothing(
    schema: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], printed: str
) -> None:
    monkeypatch.chdir(schema.parent)
    before = schema.read_bytes()
    with pytest.raises(Refused) as refused:
        _run(*arguments)
    assert printed in str(refused.value)
    assert schema.read_bytes() == before


def test_predict_leaves_out_retired_labels(tmp_path: Path) -> None:
    probabilities = small_model.good_probabilities()
    probabilities[:, 1] = 0
    small_model.export(tmp_path, probabilities, thresholds=[0.5, 1.0, 0.5, 0.5, 0.5], retired=["refund"])
    (prediction,) = predict_texts(str(tmp_path / "Format-Serving"), ["3"])
    assert {label.name for label in prediction.labels} == {*small_model.LABELS} - {"refund"}


def test_refuses_within_two_seconds_and_without_tensorflow(schema: Path) -> None:
    code = (
        "import sys; from cli import main as cli\n"
        "sys.argv[1:] = ['labels', 'retire', 'refnd', '--schema', sys.argv[1]]\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pyarrow'} & set(sys.modules), 'too much'"
    )
    started = os.times().children_user
    ended = subprocess.run([sys.executable, "-c", code, str(schema)], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == ["error: there is no label 'refnd'; did you mean 'refund'?"]
    assert os.times().children_user - started < 2


def test_predict_reads_a_remote_registry(tmp_path: Path) -> None:
    small_model.export(tmp_path, small_model.good_probabilities(), thresholds=[0.5] * len(small_model.LABELS))
    registry = "ram://predict/registry"
    copy_model(str(tmp_path / "Format-Serving"), f"{registry}/1")
    assert predict_texts(registry, ["3"]) == predict_texts(str(tmp_path / "Format-Serving"), ["3"])
