"""Tests of which artifacts of remote runs are kept, and that none that was removed comes back from the cache."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.pusher.push_result import PushResult
from components.registry import push, rollback
from pipeline import remote_retention, remote_runs
from pipeline.config.retention import RetentionSettings
from pipeline.remote_retention import clean_up_remote_runs, plan_remote_clean_up
from pipeline.remote_runs import RunRecord, begin_removal, join_generation, read_runs, record_push
from schema.errors import Refused
from tests.components.registry.test_registry import make_model, record_of

_SETTINGS = RetentionSettings(keep_runs=2, older_than="0h")


class Runs:
    """Remote runs whose artifacts are folders on this machine.

    Args:
        folder: Folder of the registry and of the artifacts.
    """

    def __init__(self, folder: Path) -> None:
        self.registry = str(folder / "registry")
        self.root = folder / "root"

    def run(self, name: str, data: str, *, days_ago: float, pushed: int | None = None, trained: bool = True) -> str:
        """Play a run; return its generation."""
        artifacts = self.root / name / "Trainer"
        artifacts.mkdir(parents=True)
        (artifacts / "model").write_bytes(bytes(1_000_000))
        record = join_generation(self.registry, name, str(self.root / name), data)
        started = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
        record.model_copy(update={"started": started}).write(f"{self.registry}/.remote_runs/{name}")
        if trained:
            record_push(self.registry, name, PushResult(number=pushed))
        return record.generation

    def present(self) -> list[str]:
        """Return the runs whose artifacts exist."""
        return sorted(path.name for path in self.root.iterdir())

    def recorded(self) -> list[str]:
        return sorted(each.record.run for each in read_runs(self.registry))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_runs_on_the_same_data_share_a_generation(runs: Runs) -> None:
    assert runs.run("a", "monday", days_ago=9) == "a"
    assert runs.run("b", "tuesday", days_ago=8) == "b"
    assert runs.run("c", "monday", days_ago=7) == "a"
    assert runs.run("d", "", days_ago=6) == "d", "nothing new"
    assert runs.run("e", "", days_ago=5) == "e"
    assert join_generation(runs.registry, "c", "", "monday").generation == "a", "a retry of the first step"


def test_keeps_the_newest_runs_that_trained_and_as_many_that_did_not(runs: Runs) -> None:
    for number, trained in enumerate([True, True, False, False, False, True, True]):
        runs.run(f"run-{number}", f"night {number}", days_ago=20 - number, trained=trained)
    clean_up_remote_runs(_SETTINGS, runs.registry)
    assert runs.present() == runs.recorded() == ["run-5", "run-6"]


def test_keeps_what_a_kept_run_may_have_taken_from_the_cache(runs: Runs) -> None:
    runs.run("a", "monday", days_ago=9)
    runs.run("b", "tuesday", days_ago=8)
    runs.run("c", "monday", days_ago=7)
    runs.run("d", "wednesday", days_ago=6)
    clean_up_remote_runs(_SETTINGS, runs.registry)
    assert runs.present() == ["a", "c", "d"]


def test_keeps_the_run_of_the_live_version(runs: Runs, tmp_path: Path) -> None:
    pushed = []
    for number in (1, 2, 3):
        model = make_model(tmp_path / f"model-{number}", str(number))
        pushed.append(push(model, runs.registry, record_of(str(number)), "small"))
        runs.run(f"run-{number}", f"night {number}", days_ago=20 - number, pushed=pushed[-1].number)
    rollback(runs.registry, pushed[0].number)
    clean_up_remote_runs(RetentionSettings(keep_runs=1, older_than="0h"), runs.registry)
    assert runs.present() == ["run-1", "run-3"], "the live version is a copy of the first"


def test_removes_nothing_that_is_young_or_may_be_in_progress(runs: Runs) -> None:
    for number in range(6):
        runs.run(f"run-{number}", f"night {number}", days_ago=2.6 - number / 2)
    for settings in (RetentionSettings(keep_runs=1), RetentionSettings(keep_runs=None, older_than="0h")):
        assert plan_remote_clean_up(settings, runs.registry).runs == []
    plan = plan_remote_clean_up(RetentionSettings(keep_runs=1, older_than="0h"), runs.registry)
    assert [run.run for run in plan.runs] == ["run-3", "run-2", "run-1", "run-0"], "the others began within a day"
    assert plan.in_words() == "artifacts of 4 runs (4.0 MB)"
    assert next(line.split() for line in plan.listed()) == ["1.0", "MB", str(runs.root / "run-3")]
    assert runs.present() == [f"run-{number}" for number in range(6)], "a plan changes nothing"


def test_what_was_removed_is_not_joined(runs: Runs) -> None:
    runs.run("a", "monday", days_ago=9)
    for number in range(2):
        runs.run(f"run-{number}", f"night {number}", days_ago=5 - number)
    clean_up_remote_runs(_SETTINGS, runs.registry)
    assert runs.present() == ["run-0", "run-1"]
    assert runs.run("z", "monday", days_ago=0) == "z"


def test_a_killed_clean_up_is_ended_by_the_next_and_joined_by_nobody(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.run("a", "monday", days_ago=9)
    runs.run("b", "monday", days_ago=8)
    for number in range(2):
        runs.run(f"run-{number}", f"night {number}", days_ago=5 - number)
    for step in ("remove_stored", "mark_removed", "forget_run"):
        with monkeypatch.context() as patched:

            def killed(*_: str) -> None:
                raise KeyboardInterrupt

            patched.setattr(remote_retention, step, killed)
            with pytest.raises(KeyboardInterrupt):
                clean_up_remote_runs(_SETTINGS, runs.registry)
        assert runs.run(f"after {step}", "monday", days_ago=30) == f"after {step}"
    with monkeypatch.context() as patched:
        patched.setattr(remote_runs, "remove_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            clean_up_remote_runs(_SETTINGS, runs.registry)
    assert join_generation(runs.registry, "z", "", "monday").generation not in ("a", "b")
    clean_up_remote_runs(_SETTINGS, runs.registry)
    assert set(runs.present()) & {"a", "b"} == set()


def test_of_a_run_and_a_clean_up_at_once_at_least_one_sees_the_other(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.run("a", "monday", days_ago=9)
    (record,) = [each.record for each in read_runs(runs.registry)]

    # The run records itself after the clean-up has marked the generation, and before it looks again.
    read = remote_runs.read_runs

    def joined_meanwhile(registry: str) -> list[remote_runs.KnownRun]:
        RunRecord(run="b", folder="", started=record.started, generation="a", inputs="monday").write(
            f"{registry}/.remote_runs/b"
        )
        return read(registry)

    with monkeypatch.context() as patched:
        patched.setattr(remote_runs, "read_runs", joined_meanwhile)
        assert begin_removal(runs.registry, [record]) == []
    assert not any(each.is_leaving for each in read_runs(runs.registry)), "the clean-up withdraws"

    # The clean-up marks the generation after the run has chosen it.
    find = remote_runs._find_generation

    def marked_meanwhile(registry: str, inputs: str) -> str | None:
        found = find(registry, inputs)
        begin_removal(registry, [each.record for each in read_runs(registry)])
        return found

    monkeypatch.setattr(remote_runs, "_find_generation", marked_meanwhile)
    assert join_generation(runs.registry, "c", "", "monday").generation == "c"


def test_a_damaged_record_keeps_everything_and_is_joined_by_nobody(runs: Runs) -> None:
    runs.run("a", "monday", days_ago=9)
    for number in range(3):
        runs.run(f"run-{number}", f"night {number}", days_ago=5 - number)
    damaged = Path(runs.registry, ".remote_runs", "a", "run.json")
    damaged.write_text("{")
    with pytest.raises(Refused, match=r"a/run\.json: is damaged"):
        clean_up_remote_runs(_SETTINGS, runs.registry)
    assert len(runs.present()) == 4
    assert join_generation(runs.registry, "z", "", "monday").generation == "z"
