"""`history`: runs from ML Metadata and from the runs' folders, either of which may lack what the other has."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from cli.history import PastRun, read_history
from components.common.outcome import Outcome
from components.report.summary import failed_summary
from schema.errors import Refused
from tests.components.report.made_up import material

_STATE = mlmd.Execution.State


class WorkDir:
    """A working directory with a store, into which runs are written as TFX would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(root / "metadata.sqlite")
        connection.sqlite.connection_mode = 3  # made if it is not there
        self._store = metadata_store.MetadataStore(connection)
        self._run_type = self._store.put_context_type(mlmd.ContextType(name="pipeline_run"))

    def folder(self, ago: int = 0, reason: str | None = None, outcome: Outcome = "failed") -> Path:
        """A run's folder, begun so many seconds ago, with a summary if there is a reason to write one."""
        started = datetime.now(UTC) - timedelta(seconds=ago)
        path = self.root / "runs" / started.strftime("%Y%m%dT%H%M%S.%fZ")
        path.mkdir(parents=True)
        if reason is not None:
            failed_summary(reason, outcome).write(str(path))
        return path

    def execute(self, states: dict[str, int], artifacts: dict[str, tuple[str, dict[str, int | str]]]) -> None:
        """What ML Metadata learns of a run: components with their states, artifacts with URI and properties."""
        executions = []
        for name, state in states.items():
            kind = self._store.put_execution_type(mlmd.ExecutionType(name=f"components.somewhere.{name}"))
            executions.append(mlmd.Execution(type_id=kind, last_known_state=state))
        context = mlmd.Context(type_id=self._run_type, name=datetime.now(UTC).isoformat())
        made = []
        for type_name, (uri, properties) in artifacts.items():
            kind = self._store.put_artifact_type(mlmd.ArtifactType(name=type_name))
            artifact = mlmd.Artifact(type_id=kind, uri=uri)
            for key, value in properties.items():
                if isinstance(value, int):
                    artifact.custom_properties[key].int_value = value
                else:
                    artifact.custom_properties[key].string_value = value
            made.append((artifact, mlmd.Event(type=mlmd.Event.OUTPUT)))
        (context_id,) = self._store.put_contexts([context])
        context.id = context_id
        for execution in executions[:-1]:
            self._store.put_execution(execution, [], [context])
        self._store.put_execution(executions[-1], made, [context])


@pytest.fixture
def work_dir(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


def only(work_dir: WorkDir) -> PastRun:
    (run,) = read_history(work_dir.root)
    return run


def test_a_run_whose_folder_is_gone_is_told_by_its_artifacts(work_dir: WorkDir, tmp_path: Path) -> None:
    summary = material(blessed=True, pushed="/registry/17", reasons=[]).summary
    (tmp_path / "report").mkdir()
    summary.write(str(tmp_path / "report"))
    work_dir.execute(
        {"Trainer": _STATE.CACHED, "Report": _STATE.COMPLETE},
        {
            "components.RunReport": (str(tmp_path / "report"), {}),
            "ModelBlessing": ("/b", {"blessed": 1}),
            "PushedModel": ("/p", {"pushed_destination": "/registry/17"}),
        },
    )
    run = only(work_dir)
    assert (run.outcome, run.pushed, run.macro_f1, run.spans) == ("pushed", "/registry/17", 0.51, [7])
    assert (run.steps, run.cached, run.folder) == (2, 1, None)
    assert abs(run.when - datetime.now(UTC)) < timedelta(minutes=1)


def test_where_the_summary_is_gone_as_well_the_blessing_is_left(work_dir: WorkDir) -> None:
    work_dir.execute(
        {"Report": _STATE.COMPLETE},
        {
            "components.RunReport": ("/gone", {}),
            "ModelBlessing": ("/b", {"blessed": 1}),
            "PushedModel": ("/p", {"pushed_destination": "/registry/17"}),
        },
    )
    run = only(work_dir)
    assert (run.blessed, run.pushed, run.macro_f1) == (True, "/registry/17", None)


def test_a_run_that_failed_says_why_and_how_far_it_came(work_dir: WorkDir) -> None:
    folder = work_dir.folder(1, reason="Trainer failed: MemoryError")
    work_dir.execute({"TextExampleGen": _STATE.COMPLETE, "Trainer": _STATE.FAILED}, {})
    run = only(work_dir)
    assert (run.outcome, run.reasons, run.folder) == ("stopped", ["Trainer failed: MemoryError"], str(folder))
    assert run.steps == 2


def test_a_run_that_was_killed_says_where(work_dir: WorkDir) -> None:
    work_dir.folder(1)
    work_dir.execute({"TextExampleGen": _STATE.COMPLETE, "Trainer": _STATE.RUNNING}, {})
    run = only(work_dir)
    assert (run.outcome, run.reasons) == ("unfinished", ["Trainer: running"])


def test_a_check_of_the_data_is_no_run(work_dir: WorkDir) -> None:
    work_dir.folder(1)
    work_dir.execute({"TextExampleGen": _STATE.COMPLETE, "DataGate": _STATE.CACHED}, {})
    assert only(work_dir).outcome == "checked"


def test_nothing_new_to_train_on_executes_nothing(work_dir: WorkDir) -> None:
    work_dir.folder(1, reason="no span is newer than 7, which was trained on 2026-11-23", outcome="no_new_data")
    assert only(work_dir).outcome == "nothing new"


def test_each_execution_belongs_to_the_folder_made_last_before_it(work_dir: WorkDir) -> None:
    work_dir.folder(100, reason="no span is newer than 6, which was trained on yesterday", outcome="no_new_data")
    killed = work_dir.folder(50)
    work_dir.execute({"Trainer": _STATE.RUNNING}, {})
    later = work_dir.folder(-100, reason="Trainer failed: it is ahead of its time")
    runs = read_history(work_dir.root)
    assert [run.outcome for run in runs] == ["stopped", "unfinished", "nothing new"]
    assert [run.folder for run in runs[:2]] == [str(later), str(killed)]
    assert [run.steps for run in runs] == [0, 1, 0]


def test_where_nothing_ran_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nothing has run here"):
        read_history(tmp_path)


def test_the_command_prints_json_without_tensorflow(work_dir: WorkDir) -> None:
    work_dir.folder(1, reason="rows.csv:3: unknown label", outcome="refused")
    work_dir.execute({"TextExampleGen": _STATE.FAILED}, {})
    code = (
        f"import sys; from cli import main as cli; sys.argv[1:] = ['history', {str(work_dir.root)!r}, '--json']\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["reasons"] == ["rows.csv:3: unknown label"]
