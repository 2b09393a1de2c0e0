"""Notes that the steps of one remote run leave for its last step, which tells the webhook how the run ended.

    <registry>/.runs/<run>/DataGate.json   how a step ended that failed, or had nothing to do
    <registry>/.runs/<run>/rows.json       numbers of rows, as soon as the data was read
    <registry>/.runs/<run>/pushed.json     the version that was pushed, as soon as it was
    <registry>/.runs/<run>/summary.json    the Report's summary

They are in the registry because it is the one place that every step of a run can write to: the service hands no outputs
to a task that runs however those before it ended, and tells it no more than that they failed. They are written only
where a webhook is configured. Importing this module needs no TensorFlow; a remote registry does.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from components.common.files import list_folder, make_folder, read_bytes, remove_file, remove_folder, write_whole
from components.common.outcome import EXIT_STATUS, Outcome, Untried
from components.common.record import Record, Value
from components.pusher.push_result import PushResult
from components.report.summary import Rows, Summary, failed_summary
from pipeline.errors import StepFailed
from runners.kfp.steps import RUN_VARIABLE, STEP_VARIABLE
from schema.errors import Refused
from schema.visible import in_one_line

FOLDER_VARIABLE = "BERT_MULTILABEL_NOTES"


class Note(Value):
    """How a step ended.

    Attributes:
        outcome: The outcome of the run that follows from it.
        reason: Why, in one line.
    """

    outcome: Outcome
    reason: str


class RowsNote(Record):
    """Numbers of rows of a run."""

    FILE: ClassVar = "rows.json"

    rows: Rows


_RECORDS = {Summary.FILE, RowsNote.FILE, PushResult.FILE}


@dataclass(frozen=True)
class Notes:
    """The notes of one run.

    Attributes:
        folder: Folder that they are in.
        run: The service's ID of the run.
    """

    folder: str
    run: str

    def write(self, step: str, note: Note) -> None:
        """Write how a step ended."""
        make_folder(self.folder)
        write_whole(f"{self.folder}/{step}.json", f"{note.model_dump_json(indent=2)}\n".encode("utf-8", "replace"))

    def remove(self, step: str) -> None:
        """Delete the note of a step that succeeded on retry, if it has one."""
        if f"{step}.json" in list_folder(self.folder):
            remove_file(f"{self.folder}/{step}.json")

    def write_rows(self, rows: Rows) -> None:
        """Write the numbers of rows."""
        RowsNote(rows=rows).write(self.folder)

    def write_push(self, push: PushResult) -> None:
        """Write the result of the push."""
        push.write(self.folder)

    def write_summary(self, summary: Summary) -> None:
        """Write the summary of the run."""
        summary.write(self.folder)

    def read(self) -> dict[str, Note]:
        """Read the notes by step."""
        names = {name for name in list_folder(self.folder) if name.endswith(".json")} - _RECORDS
        return {
            name.removesuffix(".json"): Note.model_validate_json(read_bytes(f"{self.folder}/{name}"))
            for name in sorted(names)
        }

    def read_summary(self) -> Summary | None:
        """Read the summary; None if the run ended before its Report."""
        try:
            return Summary.read(self.folder)
        except FileNotFoundError:
            return None

    def summarize_failure(self, outcome: Outcome, reasons: list[str]) -> Summary:
        """Return the summary of a run that ended before its Report."""
        try:
            rows = RowsNote.read(self.folder).rows
        except FileNotFoundError:
            rows = None
        try:
            pushed = PushResult.read(self.folder).path
        except FileNotFoundError:
            pushed = None
        update = {"reasons": reasons, "rows": rows, "pushed": pushed, "blessed": pushed is not None}
        return failed_summary(reasons[0], outcome).model_copy(update=update)

    def remove_all(self) -> None:
        """Delete the folder."""
        remove_folder(self.folder)


def notes_environment(registry: str) -> dict[str, str]:
    """Return the environment variables that let a step leave notes, besides those of `step_environment`.

    Args:
        registry: The push destination, as the step's container sees it.
    """
    return {FOLDER_VARIABLE: f"{registry.rstrip('/')}/.runs"}


def notes_of_this_run() -> Notes | None:
    """Return the notes of the run that this container belongs to; None where no webhook is configured."""
    folder, run = os.environ.get(FOLDER_VARIABLE), os.environ.get(RUN_VARIABLE)
    return Notes(f"{folder}/{run}", run) if folder and run else None


@contextmanager
def noted() -> Iterator[None]:
    """Note how the body ended; if it refused or could not try, write one line to stderr and exit."""
    step = os.environ.get(STEP_VARIABLE, "step")
    try:
        yield
    except Refused as refused:
        _note(step, Note(outcome="refused", reason=str(refused)))
        sys.stderr.write(f"error: {in_one_line(str(refused))}\n")
        sys.exit(EXIT_STATUS["refused"])
    except Untried as untried:
        _note(step, Note(outcome="untried", reason=str(untried)))
        sys.stderr.write(f"error: {in_one_line(str(untried))}\n")
        sys.exit(EXIT_STATUS["untried"])
    except Exception as error:
        _note(step, Note(outcome="failed", reason=str(StepFailed(step, error))))
        raise
    _note(step, None)


@contextmanager
def optional() -> Iterator[None]:
    """Report a failure of the body to leave a note, which must not hide how the step ended, in one line."""
    try:
        yield
    except Exception as error:
        sys.stderr.write(f"could not leave a note for the webhook: {type(error).__name__}: {error}\n")


def _note(step: str, note: Note | None) -> None:
    """Write a note, or delete it if it is None."""
    notes = notes_of_this_run()
    if notes is None:
        return
    with optional():
        notes.remove(step) if note is None else notes.write(step, note)
