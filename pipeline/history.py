"""History of a working directory: every run, from ML Metadata and from the runs' own folders. Needs no TensorFlow.

ML Metadata knows which components were executed. A run's folder has the summary, also of a run that ended before any
component was executed. Either may be missing: the folder may have been deleted, and a run may have executed nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from components.common.record import Value
from components.report.summary import Summary
from pipeline.artifact_store import metadata_refused, open_store
from pipeline.run_folder import read_pushed, start_time
from pipeline.work_dir import WorkDir
from schema.errors import Refused

# Names in ML Metadata: TFX's type of the context of a run, and the types of artifacts.
_RUN = "pipeline_run"
_REPORT, _BLESSING, _PUSHED = "components.RunReport", "ModelBlessing", "PushedModel"
_DATA_GATE = "DataGate"
_COMPLETED = ("COMPLETE", "CACHED")

Ending = Literal[
    "pushed",
    "blessed",
    "not blessed",
    "stopped",
    "nothing new",
    "scored",
    "steady",
    "drifted",
    "checked",
    "killed",
    "unfinished",
]
"""End of a run as the history shows it: the outcome, and also checks of the data and runs without one."""


class PastRun(Value):
    """Run of a pipeline.

    Attributes:
        when: Start of the run, in UTC.
        outcome: How it ended; `killed`: its process is gone, and could not say how; `unfinished`: it is in progress.
        folder: Path of its folder, `<work_dir>/runs/<time>`; None if that is gone.
        spans: Spans that it read, ascending; empty if the inputs have none, or it ended before.
        macro_f1: Macro F1 of the candidate on the test split; None if no model was evaluated.
        blessed: Whether the model passed every gate and the canary.
        pushed: Path of the pushed version, or None.
        reasons: Why nothing was pushed.
        steps: Number of components that ran or were taken from the cache.
        cached: Number of components that were taken from the cache.
    """

    when: datetime
    outcome: Ending
    folder: str | None
    spans: list[int]
    macro_f1: float | None
    blessed: bool
    pushed: str | None
    reasons: list[str]
    steps: int
    cached: int


@dataclass
class _Execution:
    """Run as recorded in ML Metadata.

    Attributes:
        when: Start, in UTC.
        states: State of each component, in the order they ran.
        report: URI of the Report's artifact, or None.
        blessed: Whether a blessing is among the outputs.
        pushed: Path of the pushed version, or None.
    """

    when: datetime
    states: dict[str, str] = field(default_factory=dict)
    report: str | None = None
    blessed: bool = False
    pushed: str | None = None

    @property
    def is_check(self) -> bool:
        """True if the data gate was the last component, and all completed."""
        states = self.states
        return bool(states) and list(states)[-1] == _DATA_GATE and all(s in _COMPLETED for s in states.values())

    @property
    def is_open(self) -> bool:
        """True if a component did not get to its end, not even to a failure."""
        return any(state in ("NEW", "RUNNING", "CANCELED") for state in self.states.values())

    @property
    def interruption(self) -> list[str]:
        """The last component with its state if it did not complete; otherwise empty."""
        last = next(reversed(self.states.items()), None)
        return [] if last is None or last[1] in _COMPLETED else [f"{last[0]}: {last[1].lower()}"]

    @property
    def end(self) -> str:
        """Where a run was killed, in words."""
        if not self.states:
            return "killed before its first step"
        name, state = next(reversed(self.states.items()))
        return f"killed {'after' if state in (*_COMPLETED, 'FAILED') else 'during'} {name}"


_Pair = tuple[Path | None, _Execution | None]


def read_history(work_dir: Path, most: int | None = None) -> list[PastRun]:
    """Return the runs of a working directory, the newest first.

    Args:
        work_dir: The working directory.
        most: Number of the newest runs to return; None for all.

    Raises:
        Refused: There is no such working directory, nothing has run in it, or its metadata file is damaged. A damaged
            file of one run is said in its row.
    """
    paths = WorkDir(str(work_dir))
    paths.check_metadata()
    folders = sorted(path for path in paths.runs.glob("*") if path.is_dir())
    if not folders and not paths.metadata.exists():
        problem = "nothing has run here" if work_dir.is_dir() else "no such work_dir"
        raise Refused(f"{work_dir}: {problem}; give the work_dir of a configuration")
    executions = _read_executions(paths.metadata) if paths.metadata.exists() else []
    pairs = sorted(_pair(folders, executions), key=lambda pair: _start(*pair), reverse=True)
    busy = paths.is_busy()
    return [_past_run(*pair, in_progress=busy and number == 0) for number, pair in enumerate(pairs[:most])]


def _pair(folders: Sequence[Path], executions: Iterable[_Execution]) -> list[_Pair]:
    """Pair each execution with the folder of its run: the last one created before it, as runs never overlap."""
    starts = [(start, folder) for folder in folders if (start := _try_start_time(folder)) is not None]
    by_folder: dict[Path, _Execution] = {}
    without_folder: list[_Pair] = []
    for execution in executions:
        latest = max((pair for pair in starts if pair[0] <= execution.when), default=None)
        if latest is None or latest[1] in by_folder:
            without_folder.append((None, execution))
        else:
            by_folder[latest[1]] = execution
    return [*without_folder, *((folder, by_folder.get(folder)) for _, folder in starts)]


def _start(folder: Path | None, execution: _Execution | None) -> datetime:
    """Return when a run started, by its folder or else by ML Metadata."""
    if folder is not None:
        return start_time(folder)
    assert execution is not None
    return execution.when


def _try_start_time(folder: Path) -> datetime | None:
    """Return when the run of a folder started, or None if the folder is not a run's."""
    try:
        return start_time(folder)
    except FileNotFoundError:
        return None


def _past_run(folder: Path | None, execution: _Execution | None, *, in_progress: bool) -> PastRun:
    """Combine what a folder and ML Metadata know of a run; at least one of them is given."""
    damage: list[str] = []
    summary, pushed = None, None
    try:
        summary = _read_summary(folder, execution)
        pushed = None if summary is not None or folder is None else read_pushed(folder)
    except Refused as refused:  # one damaged file must not end the history of all runs
        damage = [str(refused)]
    known = execution or _Execution(datetime.now(UTC))
    common = {
        "when": _start(folder, execution),
        "folder": None if folder is None else str(folder),
        "steps": len(known.states),
        "cached": sum(state == "CACHED" for state in known.states.values()),
    }
    if summary is None:
        pushed = known.pushed or pushed
        killed = not in_progress and (folder is not None or known.is_open)
        return PastRun(
            **common,
            outcome="checked" if known.is_check else "killed" if killed and not damage else "unfinished",
            spans=[],
            macro_f1=None,
            blessed=known.blessed or pushed is not None,
            pushed=pushed,
            reasons=[*damage, *([known.end] if killed and not known.is_check else known.interruption)],
        )
    return PastRun(
        **common,
        outcome=_ending(summary),
        spans=[span.span for span in summary.data.spans] if summary.data is not None else [],
        macro_f1=None if summary.metrics is None else summary.metrics.macro_f1,
        blessed=summary.blessed,
        pushed=summary.pushed,
        reasons=summary.reasons,
    )


def _ending(summary: Summary) -> Ending:
    match summary.outcome:
        case "blessed":
            return "pushed"
        case "not_blessed":  # or blessed, but not pushed: rolled back before, or another became live meanwhile
            return "blessed" if summary.blessed else "not blessed"
        case "no_new_data":
            return "nothing new"
        case "scored" | "steady" | "drifted":
            return summary.outcome
        case "refused" | "failed" | "untried":
            return "stopped"


def _read_summary(folder: Path | None, execution: _Execution | None) -> Summary | None:
    """Read the summary of a run's folder, which failed runs have too; otherwise the Report's, which is an artifact."""
    if folder is not None and (folder / Summary.FILE).exists():
        return Summary.read(str(folder))
    if execution is None or execution.report is None:
        return None
    try:
        return Summary.read(execution.report)
    except FileNotFoundError:
        return None


def _read_executions(metadata: Path) -> list[_Execution]:
    """Read the runs that ML Metadata has recorded, by their start."""
    with metadata_refused(metadata):
        return _read_store(metadata)


def _read_store(metadata: Path) -> list[_Execution]:
    from ml_metadata.proto import metadata_store_pb2

    store = open_store(metadata)
    # The type of a component is its class with the module, which has changed between versions; its name has not.
    names = {each.id: each.name.rsplit(".", 1)[-1] for each in store.get_execution_types()}
    state_name = metadata_store_pb2.Execution.State.Name
    runs = []
    for context in store.get_contexts_by_type(_RUN):
        run = _Execution(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=context.create_time_since_epoch))
        executions = sorted(store.get_executions_by_context(context.id), key=lambda each: each.id)
        run.states = {names[each.type_id]: state_name(each.last_known_state) for each in executions}
        _read_outputs(store, [each.id for each in executions], run)
        runs.append(run)
    return sorted(runs, key=lambda run: run.when)


def _read_outputs(store: Any, executions: Sequence[int], run: _Execution) -> None:
    """Add the report, the blessing and the pushed model of a run, where they are among the outputs."""
    from ml_metadata.proto.metadata_store_pb2 import Event

    events = store.get_events_by_execution_ids(executions) if executions else []
    outputs = [event.artifact_id for event in events if event.type == Event.OUTPUT]
    for artifact in store.get_artifacts_by_id(outputs) if outputs else []:
        if artifact.type == _REPORT:
            run.report = artifact.uri
        elif artifact.type == _BLESSING:
            run.blessed = artifact.custom_properties["blessed"].int_value == 1
        elif artifact.type == _PUSHED:
            run.pushed = artifact.custom_properties["pushed_destination"].string_value or None
