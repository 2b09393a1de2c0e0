"""What the steps of one run on Kubeflow leave for its last one, which tells the webhook how the run has ended.

    <registry>/.runs/<run>/DataGate.json   how a step has ended that went wrong, or had nothing to do
    <registry>/.runs/<run>/summary.json    the Report's

They lie in the registry since that is the one place which every step of a run reaches: Kubeflow hands no outputs to a
task that runs whatever became of those before it, and says of them no more than that they failed. Written only where a
webhook is configured. Needs no TensorFlow, unless the registry is remote.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from components.common.files import list_folder, read_bytes, remove_file, remove_folder
from components.common.outcome import EXIT_STATUS, Outcome
from components.common.settings import Settings, write_json
from components.report.summary import Summary
from pipeline.running import StepFailed
from schema.errors import Refused

FOLDER_VARIABLE = "BERT_MULTILABEL_NOTES"
STEP_VARIABLE = "BERT_MULTILABEL_STEP"
RUN_VARIABLE = "KUBEFLOW_RUN_ID"


class Note(Settings):
    """How a step has ended.

    Attributes:
        outcome: What that makes of the run.
        reason: Why, in a line.
    """

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Notes:
    """The notes of one run.

    Attributes:
        folder: Where they are.
        run: Kubeflow's ID of the run.
    """

    folder: str
    run: str

    def write(self, step: str, note: Note) -> None:
        """Notes how a step has ended."""
        write_json(self.folder, f"{step}.json", note)

    def forget(self, step: str) -> None:
        """A further try has made good."""
        if f"{step}.json" in list_folder(self.folder):
            remove_file(f"{self.folder}/{step}.json")

    def write_summary(self, summary: Summary) -> None:
        """Notes what came of the run."""
        summary.write(self.folder)

    def read(self) -> dict[str, Note]:
        """By step."""
        names = [name for name in sorted(list_folder(self.folder)) if name.endswith(".json") and name != Summary.FILE]
        return {
            name.removesuffix(".json"): Note.model_validate_json(read_bytes(f"{self.folder}/{name}")) for name in names
        }

    def read_summary(self) -> Summary | None:
        """None if the run did not come so far."""
        try:
            return Summary.read(self.folder)
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """All has been told."""
        remove_folder(self.folder)


def notes_here() -> Notes | None:
    """Of the run that this container belongs to; None where nobody wants to know."""
    folder, run = os.environ.get(FOLDER_VARIABLE), os.environ.get(RUN_VARIABLE)
    return Notes(f"{folder}/{run}", run) if folder and run else None


@contextmanager
def ended_in_words() -> Iterator[None]:
    """Ends a step that was refused with exit status 2 and one line; what goes wrong is noted."""
    step = os.environ.get(STEP_VARIABLE, "step")
    try:
        yield
    except Refused as refused:
        _note(step, Note(outcome="refused", reason=str(refused)))
        sys.stderr.write(f"error: {refused}\n")
        sys.exit(EXIT_STATUS["refused"])
    except Exception as error:
        _note(step, Note(outcome="failed", reason=str(StepFailed(step, error))))
        raise
    _note(step, None)


def _note(step: str, note: Note | None) -> None:
    """Whatever is wrong with that must not hide how the step has ended."""
    try:
        notes = notes_here()
        if notes is not None:
            notes.forget(step) if note is None else notes.write(step, note)
    except Exception as error:
        sys.stderr.write(f"no note of that for the webhook: {type(error).__name__}: {error}\n")
