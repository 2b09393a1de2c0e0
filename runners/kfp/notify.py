"""The last step on Kubeflow: tells the webhook how the run has ended, whatever became of the steps before.

It never fails, as the webhook never changes how a run has ended.
"""

import argparse

from rich.console import Console

from components.common.outcome import Outcome
from pipeline.config.notify import NotifySettings
from pipeline.notify import Told, tell
from runners.kfp.notes import Notes, notes_here

_NO_WORD = (
    "a step ended without a word: out of memory, past its time limit, or its node went; the run's page says which"
)


def main() -> None:
    """Runs the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", required=True, help="Its name.")
    parser.add_argument("--settings", required=True, help="The webhook's, as JSON.")
    parser.add_argument("--pages", required=True, help="What a run's ID makes the address of its page; may be empty.")
    asked = parser.parse_args()
    notes = notes_here()
    assert notes is not None, "compiled together"
    outcome, reasons = how_it_ended(notes)
    told = Told(asked.pipeline, outcome, f"{asked.pages}{notes.run}", reasons, notes.read_summary())
    tell(NotifySettings.model_validate_json(asked.settings), Console(), told)
    notes.remove()


def how_it_ended(notes: Notes) -> tuple[Outcome, list[str]]:
    """From what the steps have left: the outcome, and why."""
    left, summary = notes.read(), notes.read_summary()
    reasons = [note.reason for note in left.values()]
    outcomes = {note.outcome for note in left.values()}
    for outcome in ("failed", "refused", "no_new_data"):
        if outcome in outcomes:
            return outcome, reasons
    if summary is None:
        return "failed", [_NO_WORD]
    return summary.outcome, summary.reasons


if __name__ == "__main__":
    main()
