"""The notes of a remote run, from which its last step finds the outcome."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from components.common.outcome import Outcome, Untried
from components.pusher.push_result import PushResult
from components.registry import Claimant, adopt, push, versions
from components.report.summary import Rows, Summary, failed_summary
from pipeline.config.retention import RetentionSettings
from pipeline.remote_runs import read_runs
from runners.kfp import new_data, notify
from runners.kfp.clean_up import clean_up_after_remote_run
from runners.kfp.notes import FOLDER_VARIABLE, Note, Notes, noted, notes_of_this_run
from runners.kfp.steps import RUN_VARIABLE, STEP_VARIABLE
from schema.errors import Refused
from tests.components.registry.test_registry import make_model, record_of
from tests.support.hook import Hook


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Notes of a run, with this process as one of its steps."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / ".runs"))
    monkeypatch.setenv(RUN_VARIABLE, "run-7")
    monkeypatch.setenv(STEP_VARIABLE, "Trainer")
    notes = notes_of_this_run()
    assert notes is not None
    return notes


def end(error: Exception) -> int:
    """Let a step end with an error; return its exit status."""
    try:
        with noted():
            raise error
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception:
        return 1


def test_notes_a_failed_step_by_its_name(notes: Notes) -> None:
    assert end(RuntimeError("a\nout of range")) == 1
    assert notes.read() == {"Trainer": Note(outcome="failed", reason="Trainer failed: RuntimeError: out of range")}
    assert notify.find_outcome(notes) == ("failed", ["Trainer failed: RuntimeError: out of range"])


def test_a_step_that_refuses_ends_with_one_line(notes: Notes, capsys: pytest.CaptureFixture[str]) -> None:
    assert end(Refused("no rows")) == 2
    assert capsys.readouterr().err == "error: no rows\n"
    assert notify.find_outcome(notes) == ("refused", ["no rows"])


def test_a_successful_retry_removes_the_note(notes: Notes) -> None:
    end(RuntimeError("busy"))
    with noted():
        pass
    assert notes.read() == {}


def test_a_failure_after_the_push_keeps_the_summary(notes: Notes) -> None:
    pushed = Summary(outcome="blessed", blessed=True, pushed="/registry/1", reasons=[])
    notes.write_summary(pushed)
    assert notify.find_outcome(notes) == ("blessed", [])
    end(RuntimeError("disk full"))
    assert notify.find_outcome(notes)[0] == "failed"
    assert notes.read_summary() == pushed


def test_summarizes_a_run_that_failed_before_its_report(notes: Notes) -> None:
    assert notes.summarize_failure("failed", ["no memory"]).rows is None
    rows = Rows(read=3, accepted=2, quarantined=1)
    notes.write_rows(rows)
    end(Refused("no rows"))
    outcome, reasons = notify.find_outcome(notes)
    summary = notes.summarize_failure(outcome, reasons)
    assert (summary.outcome, summary.reasons, summary.rows, summary.pushed) == ("refused", ["no rows"], rows, None)


def test_tells_of_a_push_before_the_run_failed(notes: Notes) -> None:
    notes.write_push(PushResult(number=1, path="/registry/1"))
    end(RuntimeError("disk full"))
    outcome, reasons = notify.find_outcome(notes)
    summary = notes.summarize_failure(outcome, reasons)
    assert (summary.outcome, summary.blessed, summary.pushed) == ("failed", True, "/registry/1")


def test_a_step_that_could_not_try_ends_with_status_1(notes: Notes, capsys: pytest.CaptureFixture[str]) -> None:
    assert end(Untried("no time")) == 1
    assert capsys.readouterr().err == "error: no time\n"
    assert notify.find_outcome(notes) == ("untried", ["no time"])


def test_a_killed_step_leaves_no_note(notes: Notes) -> None:
    outcome, (reason,) = notify.find_outcome(notes)
    assert outcome == "failed"
    assert "a step ended without leaving a note" in reason


@pytest.mark.usefixtures("notes")
def test_an_unwritable_note_does_not_hide_the_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".runs").write_text("in the way")
    assert end(Refused("no rows")) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("could not leave a note for the webhook: ")
    assert lines[1] == "error: no rows"


@pytest.mark.usefixtures("notes")
def test_without_a_webhook_nothing_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert notes_of_this_run() is None
    assert end(RuntimeError("busy")) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_last_step_notifies_and_removes_the_notes(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.write_summary(failed_summary("macro_f1 is 0.1", "not_blessed"))
    with Hook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        arguments = ["--pipeline", "small", "--settings", json.dumps({"url_from": "HOOK"}), "--pages", "https://ui/"]
        monkeypatch.setattr(sys, "argv", ["notify", *arguments, "--output", str(tmp_path / "new" / "report")])
        notify.main()
        (notification,) = hook.received
    assert (notification["pipeline"], notification["outcome"], notification["run"]) == (
        "small",
        "not_blessed",
        "https://ui/run-7",
    )
    assert notification["reasons"] == ["macro_f1 is 0.1"]
    assert "macro_f1 is 0.1" in (tmp_path / "new" / "report").read_text()
    assert not Path(notes.folder).exists()


def _push_three(folder: Path) -> tuple[str, str]:
    """Push three models; return the registry, and settings that keep two."""
    base = str(folder / "registry")
    for name in "abc":
        push(make_model(folder / name, name), base, record_of(name))
    return base, RetentionSettings(keep_models=2, older_than="0h").model_dump_json()


@pytest.mark.usefixtures("notes")
def test_the_last_step_removes_old_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end(Refused("no rows"))
    base, retention = _push_three(tmp_path)
    arguments = ["--pipeline", "small", "--settings", json.dumps({"url_from": "NO_SUCH_VARIABLE"}), "--pages", ""]
    given = ["--registry", base, "--retention", retention, "--output", str(tmp_path / "report")]
    time.sleep(1)  # a version's time has whole seconds
    monkeypatch.setattr(sys, "argv", ["notify", *arguments, *given])
    notify.main()
    assert f"Removed from {base}: 1 model (" in capsys.readouterr().out
    assert len(versions(base)) == 2
    Path(base, ".removed.json").write_text("{")
    notify.main()
    assert "not cleaned up: Refused: " in capsys.readouterr().err


@pytest.mark.parametrize("outcome", ["no_new_data", "refused", "failed", "untried"])
def test_the_last_step_leaves_a_page_of_a_run_without_a_report(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    notes.write("Trainer", Note(outcome=outcome, reason="because of <b>"))
    settings = json.dumps({"url_from": "NO_SUCH_VARIABLE"})
    arguments = ["--pipeline", "small", "--settings", settings, "--pages", "", "--output", str(tmp_path / "report")]
    monkeypatch.setattr(sys, "argv", ["notify", *arguments])
    notify.main()
    page = (tmp_path / "report").read_text()
    assert "small" in page
    assert "because of &lt;b&gt;" in page


@pytest.mark.usefixtures("notes")
def test_an_unreachable_webhook_or_an_unwritable_page_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end(Refused("no rows"))
    (tmp_path / "report").mkdir()
    monkeypatch.setenv("HOOK", "http://127.0.0.1:1/SECRET")
    settings = json.dumps({"url_from": "HOOK", "retries": 0})
    arguments = ["--pipeline", "small", "--settings", settings, "--pages", "", "--output", str(tmp_path / "report")]
    monkeypatch.setattr(sys, "argv", ["notify", *arguments])
    notify.main()
    captured = capsys.readouterr()
    assert captured.out == "Not notified: 127.0.0.1 cannot be reached\n"
    assert captured.err.splitlines()[-1].startswith("could not leave a page: IsADirectoryError: ")


@pytest.mark.parametrize(("only_new", "new"), [("true", "false"), ("false", "true")])
def test_the_first_step_finds_whether_anything_is_new(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], only_new: str,
    new: str,
) -> None:  # fmt: skip
    settings = _spans(tmp_path)
    trained = tmp_path / "registry" / ".trained_on" / "00000001"
    trained.mkdir(parents=True)
    entry = {"digest": "d", "spans": [{"span": 3, "version": None, "rows": 1}], "labels": {}, "known": [], "rows": 1}
    (trained / "entry.json").write_text(json.dumps(entry))
    names = ("new", "spans", "fingerprint", "generation", "record")
    files = [word for name in names for word in (f"--{name}", str(tmp_path / name))]
    files += ["--address", "minio://bucket/root/small/run-7/NewData/b1a7/record"]
    base, retention = _push_three(tmp_path)
    given = ["--settings", json.dumps(settings), "--project", "", "--registry", base]
    if only_new == "true":  # without a last step
        given += ["--retention", retention]
        time.sleep(1)  # a version's time has whole seconds
    claimant = Claimant(pipeline="small", labels=["b"])
    given += ["--claimant", claimant.model_dump_json()]
    monkeypatch.setattr(sys, "argv", ["new_data", *given, "--only_new", only_new, *files])
    new_data.main()
    assert (tmp_path / "new").read_text() == new
    assert json.loads((tmp_path / "spans").read_text()) == [[3, None]]
    inputs = (tmp_path / "fingerprint").read_text()
    assert len(inputs) == 64
    assert (tmp_path / "generation").read_text() == "run-7"
    (run,) = read_runs(base)
    assert json.loads((tmp_path / "record").read_text()) == run.record.model_dump()
    assert run.record.folder == "minio://bucket/root/small/run-7"
    assert run.record.inputs == (inputs if new == "true" else "")
    assert len(versions(base)) == (2 if only_new == "true" else 3)
    printed = capsys.readouterr().out
    assert ("Nothing new: no span is newer than 3" in printed) == (new == "false")
    note = notes.read().get("NewData")
    assert (note is not None and note.outcome == "no_new_data") == (new == "false")

    adopt(str(tmp_path / "registry"), claimant.model_copy(update={"pipeline": "billing"}))
    with pytest.raises(SystemExit, match="2"):
        new_data.main()
    assert "belongs to pipeline 'billing' with labels b, not to 'small'" in capsys.readouterr().err
    clean_up_after_remote_run(RetentionSettings(keep_models=1, older_than="0h").model_dump_json(), base, "small")
    assert "not cleaned up: Refused" in capsys.readouterr().err
    assert len(versions(base)) == (2 if only_new == "true" else 3)


def _spans(folder: Path) -> dict[str, Any]:
    (folder / "data" / "span-3").mkdir(parents=True)
    (folder / "data" / "span-3" / "rows.csv").write_text("text,labels\na,b\n")
    inputs = [{"pattern": "span-{SPAN}/*.csv", "split": {"train": 8, "eval": 1, "test": 1}}]
    return {
        "input_base": str(folder / "data"), "labels": {"kind": "delimited", "column": "labels"}, "inputs": inputs
    }  # fmt: skip
