"""`bert-multilabel history`: every run of a working directory, from ML Metadata and the runs' own folders.

ML Metadata says what was executed; a run's folder, why it ended before anything was, and what it cost. Needs no
TensorFlow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.settings import Settings
from components.report.summary import Summary
from pipeline.run_folder import start_time
from pipeline.work_dir import WorkDir
from schema.errors import Refused

# As TFX calls the context of a run, and this project and TFX the types of artifacts.
_RUN = "pipeline_run"
_REPORT, _BLESSING, _PUSHED = "components.RunReport", "ModelBlessing", "PushedModel"
_READ_ONLY = 1
_DATA_GATE = "DataGate"

Outcome = Literal["pushed", "blessed", "not blessed", "stopped", "nothing new", "checked", "unfinished"]


class PastRun(Settings):
    """One run.

    Attributes:
        when: Its start, in UTC.
        outcome: What came of it; `unfinished`: it is under way, or was killed.
        folder: `<work_dir>/runs/<time>`, None where it is gone.
        spans: Of its data, ascending; empty where inputs have none, or it did not come so far.
        macro_f1: Of the candidate on the test split, None where none was judged.
        blessed: Whether every gate held.
        pushed: Where to, or None.
        reasons: Why it was not pushed.
        steps: Components that ran or were taken from the cache.
        cached: How many of them were taken from the cache.
    """

    when: datetime
    outcome: Outcome
    folder: str | None
    spans: list[int]
    macro_f1: float | None
    blessed: bool
    pushed: str | None
    reasons: list[str]
    steps: int
    cached: int


@dataclass
class _Executed:
    """What ML Metadata knows of a run."""

    when: datetime
    states: dict[str, str] = field(default_factory=dict)  # of components, in the order they ran
    report: str | None = None
    blessed: bool = False
    pushed: str | None = None


def read_history(work_dir: Path) -> list[PastRun]:
    """Every run, the last first.

    Raises:
        Refused: There is no such working directory, or nothing ran in it.
    """
    paths = WorkDir(str(work_dir))
    folders = sorted(path for path in paths.runs.glob("*") if path.is_dir())
    if not folders and not paths.metadata.exists():
        what = "nothing has run here" if work_dir.is_dir() else "no such work_dir"
        raise Refused(f"{work_dir}: {what}; give the work_dir of a configuration")
    executed = _executed(paths.metadata) if paths.metadata.exists() else []
    return sorted((_past_run(*pair) for pair in _paired(folders, executed)), key=lambda run: run.when, reverse=True)


def show_history(console: Console, runs: Sequence[PastRun]) -> None:
    """Prints a table, the last run first."""
    has_spans = any(run.spans for run in runs)
    table = Table("when (UTC)", *(["spans"] if has_spans else []), "macro F1", "outcome", "version", "why not")
    table.columns[0].no_wrap = True
    table.columns[2 if has_spans else 1].justify = "right"
    for run in runs:
        style = {"pushed": "green", "not blessed": "red", "stopped": "red"}.get(run.outcome, "")
        table.add_row(
            run.when.strftime("%Y-%m-%d %H:%M:%S"),
            *([_in_short(run.spans)] if has_spans else []),
            "-" if run.macro_f1 is None else f"{run.macro_f1:.3f}",
            Text(run.outcome, style=style),
            (run.pushed or "").rstrip("/").rsplit("/", 1)[-1],
            Text("; ".join(run.reasons)),
        )
    console.print(table)


def _paired(folders: Sequence[Path], executed: Iterable[_Executed]) -> list[tuple[Path | None, _Executed | None]]:
    """Folders with what was executed for them: a folder is made before, and one run at a time is at work."""
    starts = [started_or_none(folder) for folder in folders]
    known = [(start, folder) for start, folder in zip(starts, folders, strict=True) if start is not None]
    pairs: dict[Path | None, _Executed] = {}
    alone: list[tuple[Path | None, _Executed | None]] = []
    for run in executed:
        owner = max((pair for pair in known if pair[0] <= run.when), default=None)
        if owner is None or owner[1] in pairs:
            alone.append((None, run))
        else:
            pairs[owner[1]] = run
    return [*alone, *((folder, pairs.get(folder)) for _, folder in known)]


def started_or_none(folder: Path) -> datetime | None:
    """When the run of a folder began; None of a folder that is none of a run's."""
    try:
        return start_time(folder)
    except FileNotFoundError:
        return None


def _past_run(folder: Path | None, executed: _Executed | None) -> PastRun:
    summary = _summary(folder, executed)
    when = start_time(folder) if folder is not None else executed.when if executed is not None else datetime.now(UTC)
    states = executed.states if executed is not None else {}
    metrics = summary.metrics if summary is not None else None
    data = summary.data if summary is not None else None
    return PastRun(
        when=when,
        outcome=_outcome(summary, executed),
        folder=None if folder is None else str(folder),
        spans=[span.span for span in data.spans] if data is not None else [],
        macro_f1=metrics.macro_f1 if metrics is not None else None,
        blessed=summary.blessed if summary is not None else executed.blessed if executed is not None else False,
        pushed=summary.pushed if summary is not None else executed.pushed if executed is not None else None,
        reasons=summary.reasons if summary is not None else _where_it_stopped(states),
        steps=len(states),
        cached=sum(state == "CACHED" for state in states.values()),
    )


def _outcome(summary: Summary | None, executed: _Executed | None) -> Outcome:
    states = executed.states if executed is not None else {}
    if summary is None:
        done = all(state in ("COMPLETE", "CACHED") for state in states.values())
        return "checked" if states and done and list(states)[-1] == _DATA_GATE else "unfinished"
    if summary.metrics is None:
        return "nothing new" if summary.outcome == "no_new_data" else "stopped"
    if summary.pushed is not None:
        return "pushed"
    return "blessed" if summary.blessed else "not blessed"


def _where_it_stopped(states: dict[str, str]) -> list[str]:
    last = next(reversed(states.items()), None)
    return [] if last is None or last[1] in ("COMPLETE", "CACHED") else [f"{last[0]}: {last[1].lower()}"]


def _summary(folder: Path | None, executed: _Executed | None) -> Summary | None:
    """The folder's own, which runs that failed have, too; else the Report's, which a run elsewhere leaves."""
    if folder is not None and (folder / Summary.FILE).exists():
        return Summary.read(str(folder))
    try:
        return Summary.read(executed.report) if executed is not None and executed.report is not None else None
    except FileNotFoundError:
        return None


def _executed(metadata: Path) -> list[_Executed]:
    """Reads ML Metadata, in the order of the runs."""
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(metadata)
    connection.sqlite.connection_mode = _READ_ONLY
    store = metadata_store.MetadataStore(connection)
    names = {each.id: each.name.rsplit(".", 1)[-1] for each in store.get_execution_types()}
    runs = []
    for context in store.get_contexts_by_type(_RUN):
        run = _Executed(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=context.create_time_since_epoch))
        executions = sorted(store.get_executions_by_context(context.id), key=lambda each: each.id)
        state_of = metadata_store_pb2.Execution.State.Name
        run.states = {names[each.type_id]: state_of(each.last_known_state) for each in executions}
        _read_outputs(store, [each.id for each in executions], run)
        runs.append(run)
    return sorted(runs, key=lambda run: run.when)


def _read_outputs(store: Any, executions: Sequence[int], run: _Executed) -> None:
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


def _in_short(spans: Sequence[int]) -> str:
    return "" if not spans else str(spans[0]) if len(spans) == 1 else f"{spans[0]}-{spans[-1]} ({len(spans)})"
