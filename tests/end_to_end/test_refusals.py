"""Tests of mistakes in configuration and data: one line on stderr, exit status 2, nothing left half-written."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import command
from tests.support.small_project import Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=40)


Refuse = Callable[..., str]


@pytest.fixture
def refuse(project: Project, capfd: pytest.CaptureFixture[str]) -> Refuse:
    """Return a function that runs the pipeline, asserts that it is refused, and returns the one line on stderr."""

    def refused(*options: str) -> str:
        status = command("run", "--config", str(project.configuration), *options)
        error = capfd.readouterr().err
        assert status == 2, error
        (line,) = error.strip().splitlines()
        assert line.startswith("error: ")
        assert not project.registry.exists()
        return line

    return refused


def test_refuses_in_a_process_of_its_own(project: Project) -> None:
    # All others run in this process, which saves a second each.
    options = ["--config", str(project.configuration), "--set", "examples.input_base=nowhere"]
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", *options], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert not project.registry.exists()


def test_refuses_a_missing_configuration(project: Project, refuse: Refuse) -> None:
    project.configuration.rename(project.folder / "other.yaml")
    assert "no such configuration" in refuse()


def test_names_the_nearest_key_for_an_unknown_one(refuse: Refuse) -> None:
    assert "unknown key 'training.epochz'; did you mean 'epochs'?" in refuse("--set", "training.epochz=1")


def test_refuses_a_pattern_without_files(project: Project, refuse: Refuse) -> None:
    project.data.unlink()
    assert "no file matches '*.csv'" in refuse()


def test_refuses_an_empty_file(project: Project, refuse: Refuse) -> None:
    project.data.write_text("")
    assert "rows.csv: the file is empty" in refuse()


def test_names_the_nearest_column_for_a_missing_one(project: Project, refuse: Refuse) -> None:
    project.data.write_text(project.data.read_text().replace("id,text,", "id,texts,", 1))
    line = refuse()
    assert "rows.csv: no column 'text'" in line
    assert "did you mean 'texts'?" in line


def test_refuses_more_trainable_layers_than_the_checkpoint_has(refuse: Refuse) -> None:
    assert "training.trainable is 99, but checkpoint" in refuse("--set", "training.trainable=99")


def test_refuses_a_folder_that_is_not_a_checkpoint(project: Project, refuse: Refuse) -> None:
    assert "no such folder" in refuse("--set", "checkpoint=./nowhere")
    (project.folder / "bert" / "config.json").unlink()
    assert "no config.json in it" in refuse()


def test_refuses_a_gate_on_an_unknown_label(refuse: Refuse) -> None:
    line = refuse("--set", "evaluation.gates=['f1[refunds] >= 0.5']")
    assert "refunds" in line
    assert "refund" in line


def test_refuses_behavioural_tests_of_an_unknown_label(project: Project, refuse: Refuse) -> None:
    tests = "texts:\n  - {name: money, pass_rate: 0.9, given: [refunds], cases: [give it back]}\n"
    (project.folder / "behaviour.yaml").write_text(tests)
    project.configure(behaviour="behaviour.yaml")
    line = refuse()
    assert "behaviour.yaml:2: key 'texts[0].given[0]': there is no label 'refunds'; did you mean 'refund'?" in line


def test_refuses_a_gate_on_an_unknown_slice(refuse: Refuse) -> None:
    line = refuse("--set", "evaluation.gates=['auc in chanel=chat >= 0.5']")
    assert "nothing is sliced by chanel; did you mean 'channel'?" in line


def test_refuses_a_configuration_without_gates(project: Project, refuse: Refuse) -> None:
    project.configure(evaluation={"slices": ["channel"]})
    assert "key 'evaluation.gates' is missing" in refuse()


def test_refuses_texts_longer_than_the_checkpoint_takes(refuse: Refuse) -> None:
    assert "has 64 positions; lower max_tokens" in refuse("--set", "max_tokens=128")


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
        "import sys; from tests.end_to_end.command import command\n"
        "for name in ('run', 'check'): print(command(name, '--config', sys.argv[1]), file=sys.stderr)\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules), 'imported too much'"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(project.configuration)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    of_run, status_of_run, of_check, status_of_check = ended.stderr.strip().splitlines()
    assert (status_of_run, status_of_check) == ("2", "2")
    for line in (of_run, of_check):
        assert "label 'refunds' is not in the domain of 'labels' (1 row, first at rows.csv:42" in line
        assert "did you mean 'refund'?" in line
    summary = json.loads((sorted(project.runs.iterdir())[0] / "summary.json").read_text())
    assert (summary["outcome"], summary["rows"]["read"]) == ("refused", 41)


def test_refuses_data_that_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    header = "id,text,labels,channel\n"
    cases = {
        "all rows are quarantined": (header + "".join(f"r{i},,refund,chat\n" for i in range(9)), "quarantined"),
        "a split has no row": (header + "r0,my money,refund,chat\n", "split"),
    }
    projects = [make_project(tmp_path / name, rows=1) for name in cases]
    for project, (rows, _) in zip(projects, cases.values(), strict=True):
        project.data.write_text(rows)
    # One process for all, as importing TensorFlow takes longer than the runs.
    code = (
        "import sys; from tests.end_to_end.command import command\n"
        "for configuration in sys.argv[1:]: print(command('run', '--config', configuration), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *(str(project.configuration) for project in projects)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = ended.stderr.strip().splitlines()
    assert lines[1::2] == ["2", "2"], ended.stderr
    assert len(lines) == 4, ended.stderr
    for project, line, (_, message) in zip(projects, lines[::2], cases.values(), strict=True):
        assert line.startswith("error: ")
        assert message in line
        assert not project.registry.exists()
        # The outputs of a failed step are removed.
        examples = project.folder / "work" / "artifacts" / "TextExampleGen" / "examples"
        assert not list(examples.rglob("*.gz"))
