"""Tests of daily data through the command line: what is new, what stops a run, and what the webhook receives."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import command, run, summaries
from tests.support.hook import Hook
from tests.support.small_project import Project, make_project, write_rows

# The quality of the model does not matter here: it is trained for two steps, and no gate can reject it, nor the latency
# of the live model, which is short by chance.
_TRIAL = (
    "training.max_steps=2", "evaluation.gates=[]", "evaluation.slices=[]", "evaluation.label_slices=false",
    "canary.latency_ratio=null",
)  # fmt: skip


def _day(project: Project, name: str, seed: int, rows: int = 200, **options: Any) -> None:
    """Write the rows of a day: nine tenths into one file, the others into a file that arrives late."""
    write_rows(project.folder / "days" / name / "rows.csv", rows * 9 // 10, seed=seed, **options)
    write_rows(project.folder / "days" / "late" / name / "rows.csv", rows // 10, seed=seed + 100, **options)


# Nobody knows of their rows whether they have the third label, unless they do.
_LATE_FILES = {"asked": ["account", "praise"]}

# Strings that may be in no file that a run writes, nor on the screen, nor in the arguments of a process.
_SECRETS = {"the address": "T0SECRET", "the header": "C4NARY-of-the-header"}
_SECRET_VARIABLE = "TEST_HOOK_SECRET"
_arguments: list[str] = []


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    sys.addaudithook(lambda event, of: _arguments.append(repr(of[:2])) if event == "subprocess.Popen" else None)
    with Hook() as hook, pytest.MonkeyPatch.context() as patch:
        patch.setenv(_SECRET_VARIABLE, _SECRETS["the header"])
        yield hook


def _assert_no_secret(project: Project, shown: str) -> None:
    assert _arguments, "the canary is a process"
    written = [path for path in project.folder.rglob("*") if path.is_file() and path != project.configuration]
    assert {"summary.json", "report.html", "log.txt", "metadata.sqlite"} <= {path.name for path in written}
    for what, secret in _SECRETS.items():
        found = [path for path in written if secret.encode() in path.read_bytes()]
        assert found == [], f"{what} is in a file"
        assert secret not in shown + "".join(_arguments), what


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Project:
    project = make_project(tmp_path_factory.mktemp("daily") / "project", rows=1)
    examples = {
        "input_base": "days",
        "labels": {"kind": "delimited", "column": "labels"},
        "slices": ["channel"],
        "split_by": "stratified",
        "inputs": [
            {"pattern": f"{folder}{{YYYY}}-{{MM}}-{{DD}}/*.csv", "split": {"train": 6, "eval": 2, "test": 2}, **asked}
            for folder, asked in (("", {}), ("late/", _LATE_FILES))
        ],
        "spans": {"last": 2},
    }
    project.configure(examples=examples, notify={"url": hook.url, "retries": 0, "secret_from": _SECRET_VARIABLE})
    for day in (20, 21, 22):
        _day(project, f"2026-11-{day}", seed=day)
    return project


def test_the_last_days_are_trained_on_and_a_second_run_finds_nothing_new(
    project: Project, hook: Hook, capfd: pytest.CaptureFixture[str]
) -> None:
    # The late file of this day has not arrived.
    write_rows(project.folder / "days" / "2026-11-23" / "rows.csv", 50, seed=1)
    status, summary = run(project, *_TRIAL)
    assert status == 0
    left_out = "left out, as not every input has files of them: 2026-11-23"
    first = capfd.readouterr()
    assert f"Spans {left_out}" in first.out
    _assert_no_secret(project, first.out + first.err)
    assert hook.headers[0]["Authorization"] == _SECRETS["the header"]
    assert summary["data"]["incomplete_spans"] == [20780]
    assert summary["data"]["spans"] == [
        {"span": 20778, "version": None, "rows": 200},
        {"span": 20779, "version": None, "rows": 200},
    ]
    assert summary["rows"] == {"read": 400, "accepted": 400, "quarantined": 0, "merged": 0}
    assert summary["pushed"]
    shares = [rows / 400 for rows in summary["data"]["splits"].values()]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.01)
    deals = project.registry / ".splits"
    assert json.loads((deals / "00000001" / "deal.json").read_text())["dealt"] > 300
    (known,) = summary["data"]["partly_known"].values()
    assert 0 < known["unknown"] < 40
    assert known["positives"] + known["negatives"] + known["unknown"] == 400
    assert f"refund: {known['positives']} rows have it, {known['negatives']} do not, {known['unknown']} un" in first.out
    measured = summary["metrics"]["per_label"]
    assert measured["refund"]["unknown"] > 0
    assert measured["praise"]["unknown"] is None
    counts = ("true_positives", "false_positives", "false_negatives", "true_negatives", "unknown")
    assert sum(measured["refund"][name] for name in counts) == summary["metrics"]["examples"]

    capfd.readouterr()
    status, nothing = run(project, *_TRIAL)
    assert status == 0
    shown = capfd.readouterr().out
    assert "no span is newer than 2026-11-22" in shown
    assert left_out in shown
    assert nothing["pushed"] is None
    assert len(nothing["reasons"]) == 1

    # A cut shard in the cache costs the time to make it anew, and all that was made of it.
    (shard,) = (project.folder / "work" / "artifacts" / "TextExampleGen" / "examples").glob("*/Split-test/*.gz")
    os.truncate(shard, shard.stat().st_size // 2)
    status, forced = run(project, *_TRIAL, force=True)
    assert status == 0
    assert forced["pushed"]
    assert forced["metrics"]["per_label"].keys() == summary["metrics"]["per_label"].keys()
    assert not shard.exists()
    assert [path.name for path in deals.iterdir()] == ["00000001"], "nothing new was dealt out"

    assert [(told["outcome"], told["exit_status"]) for told in hook.received] == [
        ("blessed", 0), ("no_new_data", 0), ("blessed", 0),
    ]  # fmt: skip
    assert [told["summary"] for told in hook.received] == [summary, nothing, forced]
    assert {told["pipeline"] for told in hook.received} == {"small"}
    assert [told["run"] for told in hook.received] == [str(run) for run in sorted(project.runs.iterdir())]


def test_a_day_that_has_drifted_stops_the_run_and_changes_nothing_in_the_registry(
    project: Project, hook: Hook, capfd: pytest.CaptureFixture[str]
) -> None:
    served = sorted(path.name for path in project.registry.iterdir())
    _day(project, "2026-11-23", seed=23, labels=("account", "praise"), probability=0.9)
    status, summary = run(project, *_TRIAL)
    assert status == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    # The window includes the day before, so the label has not vanished.
    assert "'labels' has drifted from span 20779" in error
    assert "vanished" not in error
    assert summary["rows"]["read"] == 400
    assert sorted(path.name for path in project.registry.iterdir()) == served
    told = hook.received[-1]
    assert (told["outcome"], told["exit_status"], told["summary"]) == ("refused", 2, summary)
    assert told["reasons"] == summary["reasons"] == [error.removeprefix("error: ")]

    status, _ = run(project, *_TRIAL, "examples.spans.last=1")
    assert status == 2
    assert "label 'refund' has vanished" in capfd.readouterr().err


def test_a_corrected_day_is_trained_on(project: Project) -> None:
    _day(project, "2026-11-23", seed=23)
    status, summary = run(project, *_TRIAL)
    assert status == 0
    assert [span["span"] for span in summary["data"]["spans"]] == [20779, 20780]
    assert summary["data"]["compared_with"].startswith("span 20779")
    assert {drift["feature"] for drift in summary["data"]["drift"]} == {"labels", "text_length"}
    assert all(0 <= drift["value"] <= drift["bound"] for drift in summary["data"]["drift"])


def test_check_shows_the_data_and_trains_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "project", rows=200)
    with project.data.open("a", encoding="utf-8") as rows:
        rows.write("x1,one text twice,praise,chat\nx2,One text  twice,refund,chat\nx3, ,praise,chat\n")
    configuration = str(project.configuration)
    assert command("check", "--config", configuration) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "Rows: 203 read, 202 accepted" in shown
    assert "1 of them with different labels" in shown or "rows.csv:202 [praise] and rows.csv:203 [refund]" in shown
    assert "The data may be trained on." in shown
    assert not (project.folder / "work" / "artifacts" / "Transform").exists()
    assert summaries(project) == []

    (folder,) = project.runs.iterdir()
    for run_folder in (folder, project.folder / "work"):
        assert command("quarantine", str(run_folder)) == 0
        shown = " ".join(capfd.readouterr().out.split())
        assert "203 rows read, 202 accepted, 1 quarantined" in shown
        assert "1 blank text rows.csv:204" in shown

    status, summary = run(project, "data_gate.quarantined=0.001", *_TRIAL)
    assert status == 2
    assert "0.49% of the rows are quarantined (1 blank text, the first at rows.csv:204)" in summary["reasons"][0]
    assert f"bert-multilabel quarantine {sorted(project.runs.iterdir())[-1]}" in capfd.readouterr().out


def test_refuses_to_show_a_missing_quarantine_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert command("quarantine", str(tmp_path / "nowhere")) == 2
    assert command("quarantine", str(tmp_path)) == 2
    # A run whose data was refused before there was a quarantine.
    refused = tmp_path / "runs" / "1"
    refused.mkdir(parents=True)
    (refused / "artifacts.json").write_text('{"SchemaImport": {"schema": "nowhere"}}')
    assert command("quarantine", str(refused)) == 2
    errors = capfd.readouterr().err.strip().splitlines()
    assert [error.split(": ", 2)[2] for error in errors] == [
        "no such run; give a folder of <work_dir>/runs",
        "no run here has read any data; give a folder of <work_dir>/runs",
        "no run here has read any data; give a folder of <work_dir>/runs",
    ]
