"""Tests of `history`, whose two sources, ML Metadata and the runs' folders, may each lack what the other has."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.outcome import Outcome
from components.report.summary import Summary, failed_summary
from pipeline import work_dir as paths
from pipeline.history import PastRun, read_history
from schema.errors import Refused
from tests.components.report.made_up import material

_STATE = mlmd.Execution.State


class WorkDir:
    """Working directory with a metadata store, into which runs are written as TFX would write them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(root / "metadata.sqlite")
        connection.sqlite.connection_mode = 3  # created if it does not exist
        self._store = metadata_store.MetadataStore(connection)
        self._run_type = self._store.put_context_type(mlmd.ContextType(name="pipeline_run"))

    def add_folder(self, ago_s: int = 0, reason: str | None = None, outcome: Outcome = "failed") -> Path:
        """Create the folder of a run that started some seconds ago, with a summary if a reason is given."""
        started = datetime.now(UTC) - timedelta(seconds=ago_s)
        path = self.root / "runs" / started.strftime("%Y%m%dT%H%M%S.%fZ")
        path.mkdir(parents=True)
        if reason is not None:
            failed_summary(reason, outcome).write(str(path))
        return path

    def execute(self, states: dict[str, int], artifacts: dict[str, tuple[str, dict[str, int | str]]]) -> None:
        """Record a run: components with their states, and artifacts by type with URI and properties.

        A component without a module in its name gets one, as TFX names types by module and class.
        """
        executions = []
        for name, state in states.items():
            full_name = name if "." in name else f"components.some_step.component.{name}"
            type_id = self._store.put_execution_type(mlmd.ExecutionType(name=full_name))
            executions.append(mlmd.Execution(type_id=type_id, last_known_state=state))
        context = mlmd.Context(type_id=self._run_type, name=datetime.now(UTC).isoformat())
        outputs = []
        for type_name, (uri, properties) in artifacts.items():
            type_id = self._store.put_artifact_type(mlmd.ArtifactType(name=type_name))
            artifact = mlmd.Artifact(type_id=type_id, uri=uri)
            for key, value in properties.items():
                if isinstance(value, int):
                    artifact.custom_properties[key].int_value = value
                else:
                    artifact.custom_properties[key].string_value = value
            outputs.append((artifact, mlmd.Event(type=mlmd.Event.OUTPUT)))
        (context_id,) = self._store.put_contexts([context])
        context.id = context_id
        for execution in executions[:-1]:
            self._store.put_execution(execution, [], [context])
        self._store.put_execution(executions[-1], outputs, [context])


@pytest.fixture
def work_dir(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


def only_run(work_dir: WorkDir) -> PastRun:
    (run,) = read_history(work_dir.root)
    return run


def test_reads_a_run_without_folder_from_its_artifacts(work_dir: WorkDir, tmp_path: Path) -> None:
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
    run = only_run(work_dir)
    assert (run.outcome, run.pushed, run.macro_f1, run.spans) == ("pushed", "/registry/17", 0.51, [7])
    assert (run.steps, run.cached, run.folder) == (2, 1, None)
    assert abs(run.when - datetime.now(UTC)) < timedelta(minutes=1)


def test_reads_the_blessing_of_a_run_without_summary(work_dir: WorkDir) -> None:
    work_dir.execute(
        {"Report": _STATE.COMPLETE},
        {
            "components.RunReport": ("/gone", {}),
            "ModelBlessing": ("/b", {"blessed": 1}),
            "PushedModel": ("/p", {"pushed_destination": "/registry/17"}),
        },
    )
    run = only_run(work_dir)
    assert (run.blessed, run.pushed, run.macro_f1) == (True, "/registry/17", None)


def test_a_failed_run_has_its_reason_and_the_steps_that_ran(work_dir: WorkDir) -> None:
    folder = work_dir.add_folder(1, reason="Trainer failed: MemoryError")
    work_dir.execute({"TextExampleGen": _STATE.COMPLETE, "Trainer": _STATE.FAILED}, {})
    run = only_run(work_dir)
    assert (run.outcome, run.reasons, run.folder) == ("stopped", ["Trainer failed: MemoryError"], str(folder))
    assert run.steps == 2


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ({"TextExampleGen": _STATE.COMPLETE, "Trainer": _STATE.RUNNING}, "killed during Trainer"),
        ({"TextExampleGen": _STATE.COMPLETE, "Trainer": _STATE.CANCELED}, "killed during Trainer"),
        ({"TextExampleGen": _STATE.COMPLETE}, "killed after TextExampleGen"),
        ({}, "killed before its first step"),
    ],
)
def test_a_run_whose_process_is_gone_was_killed(work_dir: WorkDir, states: dict[str, int], reason: str) -> None:
    work_dir.add_folder(1)
    if states:
        work_dir.execute(states, {})
    run = only_run(work_dir)
    assert (run.outcome, run.reasons) == ("killed", [reason])


def test_only_the_newest_run_can_be_in_progress(work_dir: WorkDir) -> None:
    work_dir.add_folder(50)
    work_dir.add_folder(1)
    work_dir.execute({"Trainer": _STATE.RUNNING}, {})
    with paths.WorkDir(str(work_dir.root)).locked("small"):
        runs = read_history(work_dir.root)
    assert [(run.outcome, run.reasons) for run in runs] == [
        ("unfinished", ["Trainer: running"]), ("killed", ["killed before its first step"]),
    ]  # fmt: skip


def test_a_check_of_the_data_is_shown_as_one(work_dir: WorkDir) -> None:
    work_dir.add_folder(1)
    work_dir.execute({"TextExampleGen": _STATE.COMPLETE, "DataGate": _STATE.CACHED}, {})
    assert only_run(work_dir).outcome == "checked"


@pytest.mark.parametrize(
    ("schema_import", "training_record"),
    [
        # Before these components had folders of their own.
        ("components.schema_import.SchemaImport", "components.training_record.TrainingRecord"),
        ("components.schema_import.component.SchemaImport", "components.training_log.component.TrainingRecord"),
    ],
)
def test_reads_component_types_of_earlier_versions(work_dir: WorkDir, schema_import: str, training_record: str) -> None:
    complete, cached = _STATE.COMPLETE, _STATE.CACHED
    data_gate = "components.data_gate.component.DataGate"
    work_dir.execute({schema_import: complete, "tfx.components.StatisticsGen": cached, data_gate: complete}, {})
    run = only_run(work_dir)
    assert (run.outcome, run.steps, run.cached) == ("checked", 3, 1)

    work_dir.execute({schema_import: cached, training_record: _STATE.FAILED}, {})
    newest = read_history(work_dir.root)[0]
    assert (newest.steps, newest.cached, newest.reasons) == (2, 1, ["TrainingRecord: failed"])


def test_a_run_that_found_nothing_new_executed_nothing(work_dir: WorkDir) -> None:
    work_dir.add_folder(1, "no span is newer than 7, which was trained on 2026-11-23", "no_new_data")
    assert only_run(work_dir).outcome == "nothing new"


@pytest.mark.parametrize(
    ("outcome", "blessed", "pushed", "shown"),
    [
        ("blessed", True, "/registry/17", "pushed"),
        ("not_blessed", True, None, "blessed"),
        ("not_blessed", False, None, "not blessed"),
        ("no_new_data", False, None, "nothing new"),
        ("refused", False, None, "stopped"),
        ("failed", False, None, "stopped"),
        ("untried", False, None, "stopped"),
    ],
)
def test_shows_the_outcome_of_the_summary(
    work_dir: WorkDir, outcome: Outcome, blessed: bool, pushed: str | None, shown: str
) -> None:
    folder = work_dir.add_folder(1)
    Summary(outcome=outcome, blessed=blessed, pushed=pushed, reasons=["in other words"]).write(str(folder))
    assert only_run(work_dir).outcome == shown


def test_reads_summaries_without_an_outcome(work_dir: WorkDir) -> None:
    folder = work_dir.add_folder(1)
    old = {"blessed": False, "pushed": None, "reasons": ["no span is newer than 7, which was trained on 2026-11-23"]}
    (folder / Summary.FILE).write_text(json.dumps(old))
    assert only_run(work_dir).outcome == "nothing new"


def test_an_execution_belongs_to_the_last_folder_created_before_it(work_dir: WorkDir) -> None:
    work_dir.add_folder(100, "no span is newer than 6, which was trained on yesterday", "no_new_data")
    killed = work_dir.add_folder(50)
    work_dir.execute({"Trainer": _STATE.RUNNING}, {})
    later = work_dir.add_folder(-100, reason="Trainer failed: it is ahead of its time")
    runs = read_history(work_dir.root)
    assert [run.outcome for run in runs] == ["stopped", "killed", "nothing new"]
    assert [run.folder for run in runs[:2]] == [str(later), str(killed)]
    assert [run.steps for run in runs] == [0, 1, 0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\0", b'{"outcome": 3}'])
@pytest.mark.parametrize("name", ["summary.json", "artifacts.json"])
def test_one_damaged_file_does_not_end_the_history_of_the_others(work_dir: WorkDir, name: str, content: bytes) -> None:
    damaged = work_dir.add_folder(100)
    (damaged / name).write_bytes(content)
    work_dir.add_folder(1, "no rows", "refused")
    sound, other = read_history(work_dir.root)
    assert (sound.outcome, sound.reasons) == ("stopped", ["no rows"])
    assert other.outcome == "unfinished"
    assert other.reasons[0].startswith(f"{damaged / name}: is damaged")


def test_names_damaged_metadata(work_dir: WorkDir) -> None:
    (work_dir.root / "metadata.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(Refused, match=r"metadata.sqlite: is damaged .*; restore it, or delete it"):
        read_history(work_dir.root)


def test_names_a_database_that_is_not_ml_metadata(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "metadata.sqlite")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
    with pytest.raises(Refused) as refused:
        read_history(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / 'metadata.sqlite'}: cannot be read as ML Metadata (")
    assert "\n" not in str(refused.value)


def test_refuses_a_folder_in_which_nothing_has_run(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nothing has run here"):
        read_history(tmp_path)


def test_the_command_prints_json_without_tensorflow(work_dir: WorkDir) -> None:
    work_dir.add_folder(1, "rows.csv:3: unknown label", "refused")
    work_dir.execute({"TextExampleGen": _STATE.FAILED}, {})
    code = (
        f"import sys; from cli import main as cli; sys.argv[1:] = ['history', {str(work_dir.root)!r}, '--json']\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["reasons"] == ["rows.csv:3: unknown label"]
