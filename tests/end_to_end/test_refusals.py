"""Tests of mistakes in configuration and data: one line on stderr, exit status 2, nothing left half-written."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.small_project import Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=40)


def _refused(project: Project, *options: str) -> str:
    """Run the pipeline, assert that it is refused, and return the one line on stderr."""
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(project.configuration), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("error: ")
    assert not project.registry.exists()
    return lines[0]


def test_refuses_a_missing_configuration(project: Project) -> None:
    project.configuration.rename(project.folder / "other.yaml")
    assert "no such configuration" in _refused(project)


def test_names_the_nearest_key_for_an_unknown_one(project: Project) -> None:
    assert "unknown key 'training.epochz'; did you mean 'epochs'?" in _refused(project, "--set", "training.epochz=1")


def test_refuses_a_pattern_without_files(project: Project) -> None:
    project.data.unlink()
    assert "no file matches '*.csv'" in _refused(project)


def test_refuses_an_empty_file(project: Project) -> None:
    project.data.write_text("")
    assert "rows.csv: the file is empty" in _refused(project)


def test_names_the_nearest_column_for_a_missing_one(project: Project) -> None:
    project.data.write_text(project.data.read_text().replace("id,text,", "id,texts,", 1))
    line = _refused(project)
    assert "rows.csv: no column 'text'" in line
    assert "did you mean 'texts'?" in line


def test_refuses_more_trainable_layers_than_the_checkpoint_has(project: Project) -> None:
    assert "training.trainable is 99, but checkpoint" in _refused(project, "--set", "training.trainable=99")


def test_refuses_a_folder_that_is_not_a_checkpoint(project: Project) -> None:
    assert "no such folder" in _refused(project, "--set", "checkpoint=./nowhere")
    (project.folder / "bert" / "config.json").unlink()
    assert "no config.json in it" in _refused(project)


def test_refuses_a_gate_on_an_unknown_label(project: Project) -> None:
    line = _refused(project, "--set", "evaluation.gates=['f1[refunds] >= 0.5']")
    assert "refunds" in line
    assert "refund" in line


def test_refuses_behavioural_tests_of_an_unknown_label(project: Project) -> None:
    tests = "texts:\n  - {name: money, pass_rate: 0.9, given: [refunds], cases: [give it back]}\n"
    (project.folder / "behaviour.yaml").write_text(tests)
    project.configure(behaviour="behaviour.yaml")
    line = _refused(project)
    assert "behaviour.yaml:2: key 'texts[0].given[0]': there is no label 'refunds'; did you mean 'refund'?" in line


def test_refuses_a_gate_on_an_unknown_slice(project: Project) -> None:
    line = _refused(project, "--set", "evaluation.gates=['auc in chanel=chat >= 0.5']")
    assert "nothing is sliced by chanel; did you mean 'channel'?" in line


def test_refuses_a_configuration_without_gates(project: Project) -> None:
    project.configure(evaluation={"slices": ["channel"]})
    assert "key 'evaluation.gates' is missing" in _refused(project)


def test_refuses_texts_longer_than_the_checkpoint_takes(project: Project) -> None:
    assert "has 64 positions; lower max_tokens" in _refused(project, "--set", "max_tokens=128")


def test_refuses_without_importing_tensorflow(project: Project) -> None:
    code = (
        "import sys; from cli import main as cli; sys.argv[1:] = ['run', '--config', sys.argv[1], '--set', 'x=1']\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules), 'imported too much'"
    )
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code, str(project.configuration)], capture_output=True, text=True, check=False
    )
    assert "imported too much" not in ended.stderr
    assert ended.returncode == 2
    assert time.monotonic() - started < 60


def test_refuses_an_unknown_label_before_anything_slow_is_imported(project: Project) -> None:
    with project.data.open("a", encoding="utf-8") as rows:
        rows.write("x1,give it back,refunds,chat\n")
    code = (
        "import sys; from cli import main as cli; sys.argv[1:] = [sys.argv[1], '--config', sys.argv[2]]\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules), 'imported too much'"
    )
    for command in ("run", "check"):
        ended = subprocess.run(
            [sys.executable, "-c", code, command, str(project.configuration)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        (line,) = ended.stderr.strip().splitlines()
        assert ended.returncode == 2, line
        assert "label 'refunds' is not in the domain of 'labels' (1 row, first at rows.csv:42" in line
        assert "did you mean 'refund'?" in line
    summary = json.loads((sorted(project.runs.iterdir())[0] / "summary.json").read_text())
    assert (summary["outcome"], summary["rows"]["read"]) == ("refused", 41)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("id,text,labels,channel\n" + "".join(f"r{i},,refund,chat\n" for i in range(9)), "quarantined"),
        ("id,text,labels,channel\nr0,my money,refund,chat\n", "split"),
    ],
    ids=["all rows quarantined", "a split with no row"],
)
def test_refuses_data_that_leaves_nothing_to_train_on(project: Project, rows: str, message: str) -> None:
    project.data.write_text(rows)
    assert message in _refused(project)
    # The outputs of a failed step are removed.
    examples = project.folder / "work" / "artifacts" / "TextExampleGen" / "examples"
    assert not list(examples.rglob("*.gz"))
