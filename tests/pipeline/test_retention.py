"""Tests of what a clean-up removes and keeps, over many nights whose steps leave small files."""

import os
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components import registry
from components.common.outcome import Untried
from components.report.summary import Summary
from components.training_log.log import append_entry
from pipeline.config.retention import RetentionSettings
from pipeline.errors import StepFailed
from pipeline.history import read_history
from pipeline.retention import clean_up, plan_clean_up, settle
from schema.errors import Refused
from tests.components.training_log.test_log import report
from tests.end_to_end.command import command
from tests.support.nights import STEPS, Nights
from tests.support.small_project import make_project

_BOUNDS = {"keep_runs": 3, "keep_models": 2, "older_than": "0h"}
_KEEP_ALL = {"keep_runs": None, "keep_models": None}


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    nights = Nights(make_project(tmp_path / "project", rows=20))
    nights.project.configure(retention=_KEEP_ALL)
    return nights


def used(folder: Path) -> int:
    """Return the bytes of the files in a folder; a file with several links counts once."""
    files = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return sum(files.values())


def live_artifacts(nights: Nights) -> list[str]:
    return [each.uri for each in nights.store().get_artifacts() if each.state == mlmd.Artifact.LIVE]


def test_thirty_nights_take_as_much_as_three(tmp_path: Path) -> None:
    nights = Nights(make_project(tmp_path / "project", rows=20))
    nights.project.configure(retention=_BOUNDS)
    sizes = []
    for _ in range(30):
        assert nights.run().pushed is not None
        sizes.append(used(nights.work_dir.artifacts) + used(nights.project.registry))
    assert max(sizes[3:]) - min(sizes[3:]) < nights.size, "nothing of a night stays"
    assert len(registry.versions(nights.config.registry)) == 2
    assert sorted(live_artifacts(nights)) == sorted(str(path) for path in nights.work_dir.artifacts.glob("*/*/*")), (
        "what ML Metadata says is there"
    )
    assert len(live_artifacts(nights)) == 3 * len(STEPS)
    assert len(list(nights.work_dir.runs.glob("*/log.txt"))) == 3
    past = read_history(Path(nights.config.work_dir))
    assert [run.outcome for run in past] == ["pushed"] * 30, "the history still tells the past"
    assert len(registry.RemovedVersions.find(nights.config.registry).records) == 28
    # The summaries stay, and so do the rows of ML Metadata.
    kept = {path.name for path in min(nights.work_dir.runs.iterdir()).iterdir()}
    assert kept == {"summary.json", "model_card.md", "configuration.json", "artifacts.json", "provenance.json"}
    grown = used(nights.work_dir.runs) / 30
    assert grown < 20_000, f"{grown} bytes a night"


def test_a_baseline_takes_no_space(nights: Nights) -> None:
    nights.run()
    nights.run()
    (baseline,) = nights.work_dir.artifacts.glob(f"RegistryBaseline/baseline/*/{registry.SERVING_FOLDER}")
    first, _ = registry.versions(nights.config.registry)
    for path in baseline.rglob("*"):
        if path.is_file():
            assert path.samefile(Path(first.path, path.relative_to(baseline)))
    clean_up(RetentionSettings(keep_models=1, older_than="0h"), None, nights.config.registry)
    assert registry.differences(str(baseline), registry.ModelRecord.read(str(baseline))) == []


def test_the_defaults_remove_nothing_of_the_last_week(nights: Nights) -> None:
    for _ in range(8):
        nights.run()
    plan = plan_clean_up(RetentionSettings(), nights.work_dir, nights.config.registry)
    assert plan.paths == []
    assert plan.in_words() == ""


def test_lists_what_would_go_and_removes_nothing(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        nights.run()
    before = sorted(nights.project.folder.rglob("*"))
    arguments = ["--config", str(nights.project.configuration), "--keep-runs", "1", "--keep-models", "1"]
    assert command("clean", *arguments, "--older-than", "0h", "--dry-run") == 0
    *listed, last = capsys.readouterr().out.splitlines()
    assert sorted(nights.project.folder.rglob("*")) == before
    assert command("clean", *arguments, "--older-than", "0h") == 0
    assert capsys.readouterr().out == last.replace("Would remove", "Removed") + "\n"
    for line in listed:
        size, unit, path = line.split(maxsplit=2)
        assert unit == "MB"
        assert float(size) >= 0
        assert not Path(path).exists()
    kinds = {"10 artifacts", "1 model", "2 logs and reports"}
    assert set(last.removeprefix("Would remove: ").partition(" (")[0].split(", ")) == kinds
    assert command("clean", *arguments) == 0
    assert capsys.readouterr().out == "Removed: nothing\n"


def test_keeps_what_is_in_service_and_what_a_rollback_returns_to(nights: Nights) -> None:
    for _ in range(4):
        nights.run()
    base = nights.config.registry
    first, second, third, fourth = registry.versions(base)
    copy = registry.rollback(base, first.number)
    settings = RetentionSettings(keep_runs=1, keep_models=1, older_than="0h")
    clean_up(settings, nights.work_dir, base)
    assert registry.versions(base) == [copy]
    records = registry.RemovedVersions.find(base).records
    assert sorted(records) == [first.number, second.number, third.number, fourth.number]
    model = records[third.number].model_id
    assert registry.withdrawn(base, model) is not None, "what was rolled back and removed stays withdrawn"
    assert registry.withdrawn(base, records[first.number].model_id) is None
    models = {Path(uri).parts[-1] for uri in live_artifacts(nights) if "/Trainer/" in uri}
    assert len(models) == 2, "of the newest run, and of the one that pushed what is in service"


def test_keeps_versions_that_another_tool_pushed(nights: Nights) -> None:
    for _ in range(3):
        nights.run()
    foreign = Path(nights.config.registry, "7")
    foreign.mkdir()
    (foreign / "saved_model.pb").write_bytes(b"graph")
    clean_up(RetentionSettings(keep_models=1, older_than="0h"), None, nights.config.registry)
    assert next(version.number for version in registry.versions(nights.config.registry)) == 7


def test_keeps_the_newest_thirty_records_of_what_was_trained_on(nights: Nights) -> None:
    base = nights.config.registry
    for number in range(31):
        append_entry(base, report(str(number)), ["joy"], b"")
    assert clean_up(RetentionSettings(keep_runs=31, older_than="0h"), None, base).entries == []
    time.sleep(1)  # the time of an entry has whole seconds
    plan = clean_up(RetentionSettings(keep_runs=1, older_than="0h"), None, base)
    assert plan.in_words().startswith("1 record of data (")
    assert len(list(Path(base, ".trained_on").iterdir())) == 30


def test_refuses_to_remove_versions_while_a_record_cannot_be_read(nights: Nights) -> None:
    for _ in range(3):
        nights.run()
    first, *_ = registry.versions(nights.config.registry)
    Path(first.path, "model.json").write_text("{")
    with pytest.raises(Refused, match="the registry is not used"):
        clean_up(RetentionSettings(keep_models=1, older_than="0h"), nights.work_dir, nights.config.registry)
    nights.project.configure(retention=_BOUNDS)
    Path(first.path, "model.json").unlink()
    Path(nights.config.registry, ".removed.json").write_text("{")
    with pytest.raises(Refused, match="restore it, or delete it"):
        clean_up(RetentionSettings(keep_models=1, older_than="0h"), nights.work_dir, nights.config.registry)


def test_runs_that_end_early_do_not_take_the_place_of_those_that_trained(nights: Nights) -> None:
    nights.run()

    def fail(step: str) -> None:
        if step == "Trainer":
            raise StepFailed(step, MemoryError())

    for _ in range(4):
        with pytest.raises(StepFailed):
            nights.run(end=fail)
    settings = RetentionSettings(keep_runs=2, keep_models=1, older_than="0h")
    clean_up(settings, nights.work_dir, nights.config.registry)
    steps = [Path(uri).parts[-3] for uri in live_artifacts(nights)]
    assert sorted(steps) == sorted([*STEPS, "TextExampleGen", "TextExampleGen"])


def test_closes_what_a_killed_run_left_open(nights: Nights) -> None:
    def kill(step: str) -> None:
        if step == "Trainer":
            os.kill(os.getpid(), signal.SIGKILL)

    process = os.fork()
    if process == 0:
        nights.run(end=kill)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    left = nights.work_dir.artifacts / "Trainer" / "model"
    assert list(left.iterdir())
    (past,) = read_history(Path(nights.config.work_dir))
    assert (past.outcome, past.reasons) == ("killed", ["killed during Trainer"])
    with nights.work_dir.locked("small"):
        settle(nights.work_dir, nights.console())
    assert list(left.iterdir()) == []
    states = {each.last_known_state for each in nights.store().get_executions()}
    assert states == {mlmd.Execution.COMPLETE, mlmd.Execution.CANCELED}
    assert [run.outcome for run in read_history(Path(nights.config.work_dir))] == ["killed"]
    nights.run()


def test_says_that_artifacts_without_metadata_are_removed(nights: Nights) -> None:
    nights.run()
    nights.work_dir.metadata.unlink()
    nights.run()
    assert f"{nights.work_dir.artifacts}: removed what is there" in nights.shown.getvalue()
    assert len(list(nights.work_dir.artifacts.glob("*/*/*"))) == len(STEPS)


def test_knows_the_artifacts_of_a_working_directory_that_was_moved(nights: Nights) -> None:
    nights.run()
    moved = nights.project.folder / "moved"
    shutil.move(nights.config.work_dir, moved)
    nights.project.configure(work_dir="moved")
    settle(nights.work_dir, nights.console())
    assert len(list(moved.glob("artifacts/*/*/*"))) == len(STEPS)
    nights.run()
    clean_up(RetentionSettings(keep_runs=1, older_than="0h"), nights.work_dir, nights.config.registry)
    assert len(list(moved.glob("artifacts/*/*/*"))) == len(STEPS)


def test_removes_states_and_partial_files_that_nobody_resumes(nights: Nights) -> None:
    nights.run()
    state = nights.work_dir.resume / ("0" * 64) / "state.npz"
    partial = min(nights.work_dir.runs.iterdir()) / "summary.json.abc.partial"
    incoming = Path(nights.config.registry, ".incoming-abc", "saved_model.pb")
    for path in (state, partial, incoming):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    settings = RetentionSettings()
    assert plan_clean_up(settings, nights.work_dir, nights.config.registry).paths == [str(incoming.parent)]
    old = (datetime.now(UTC) - timedelta(days=8)).timestamp()
    for path in (state, state.parent, partial):
        os.utime(path, (old, old))
    clean_up(settings, nights.work_dir, nights.config.registry)
    assert not any(path.exists() for path in (state, state.parent, partial, incoming.parent))


def test_a_run_needs_the_disk_that_the_last_ones_took(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.size = 3_000_000
    first = nights.run()
    assert first.disk is not None
    assert (first.disk.work_dir_mb, first.disk.registry_mb) == (6, 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 8_000_000, 8_000_000))
    with pytest.raises(Untried) as untried:
        nights.run()
    assert str(untried.value) == (
        f"{nights.config.work_dir}: a run needs 9 MiB there, as the last ones took, and 7 MiB are free; free some, for"
        " example with `bert-multilabel clean --keep-runs 1 --older-than 0d`, or set retention.check_disk to false"
    )
    assert Summary.read(str(max(nights.work_dir.runs.iterdir()))).outcome == "untried"
    nights.project.configure(retention={"check_disk": False})
    nights.run()


def test_an_error_of_the_clean_up_does_not_change_how_the_run_ended(nights: Nights) -> None:
    nights.project.configure(retention=_BOUNDS)

    def damage(step: str) -> None:
        if step == "Report":
            Path(nights.config.registry, ".removed.json").mkdir()

    assert nights.run(end=damage).outcome == "blessed"
    assert "Not cleaned up: " in nights.shown.getvalue()


def test_clean_waits_for_no_run_and_disturbs_none(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    nights.run()
    with nights.work_dir.locked("small"):
        assert command("clean", "--config", str(nights.project.configuration)) == 2
    assert "another run" in capsys.readouterr().err


def test_cleans_only_the_registry_of_a_remote_runner(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        nights.run()
    nights.project.configure(
        runner={"kubeflow": {"image": "image:1", "paths": {"registry": nights.config.registry, "input_base": "/data"}}}
    )
    arguments = ["--config", str(nights.project.configuration), "--runner", "kubeflow", "--older-than", "0h"]
    assert command("clean", *arguments, "--keep-runs", "1", "--keep-models", "2") == 0
    assert capsys.readouterr().out.startswith("Removed: 1 model (")
    assert len(live_artifacts(nights)) == 3 * len(STEPS)


def test_writes_the_report_of_a_run_again_whose_artifacts_were_removed(
    nights: Nights, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        nights.run()
    clean_up(RetentionSettings(keep_runs=1, keep_models=1, older_than="0h"), nights.work_dir, nights.config.registry)
    oldest = min(nights.work_dir.runs.iterdir())
    assert not (oldest / "report.html").exists()
    assert command("report", str(oldest)) == 0
    assert (oldest / "report.html").exists()
    assert command("quarantine", str(oldest)) == 2
    assert "is gone; run check again" in capsys.readouterr().err
