"""The last step of a remote run: tells the webhook how the run ended, however the steps before it ended.

It also leaves a page with the outcome, since a run that fails before its Report has none, and removes what the
configuration's retention says. It never fails, because neither changes how a run has ended.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from components.common.outcome import Outcome
from components.report.summary import Summary
from pipeline.config.notify import NotifySettings
from pipeline.console import PlainConsole
from pipeline.notify import Notification, send
from runners.kfp.clean_up import clean_up_after_remote_run
from runners.kfp.notes import Notes, notes_of_this_run

_NO_NOTE = (
    "a step ended without leaving a note: out of memory, past its time limit, or its node failed; the page of the run "
    "says which"
)


def main() -> None:
    """Run the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", required=True, help="Name of the pipeline.")
    parser.add_argument("--settings", required=True, help="Settings of the webhook, as JSON.")
    parser.add_argument("--pages", required=True, help="Address to append a run's ID to, for its page; may be empty.")
    parser.add_argument("--registry", default="", help="The push destination.")
    parser.add_argument(
        "--vertex", default="", help="Where on Vertex AI the models are as well, as JSON; may be empty."
    )
    parser.add_argument("--retention", default="", help="Retention settings, as JSON.")
    parser.add_argument("--output", required=True, type=Path, help="File to write: a page with the outcome.")
    arguments = parser.parse_args()
    notes = notes_of_this_run()
    assert notes is not None, "the variables are compiled with the step"
    outcome, reasons = find_outcome(notes)
    address = f"{arguments.pages}{notes.run}"
    summary = notes.read_summary() or notes.summarize_failure(outcome, reasons)
    notification = Notification(arguments.pipeline, outcome, address, reasons, summary)
    _try_write_page(arguments.output, arguments.pipeline, summary)
    send(NotifySettings.model_validate_json(arguments.settings), PlainConsole(), notification)
    notes.remove_all()
    clean_up_after_remote_run(arguments.retention, arguments.registry, arguments.pipeline, arguments.vertex)


def find_outcome(notes: Notes) -> tuple[Outcome, list[str]]:
    """Return the outcome of a run and the reasons for it, as far as its steps have noted them."""
    by_step, summary = notes.read(), notes.read_summary()
    reasons = [note.reason for note in by_step.values()]
    outcomes = {note.outcome for note in by_step.values()}
    for outcome in ("failed", "refused", "untried", "no_new_data"):
        if outcome in outcomes:
            return outcome, reasons
    if summary is None:
        return "failed", [_NO_NOTE]
    return summary.outcome, summary.reasons


def _try_write_page(file: Path, pipeline: str, summary: Summary) -> None:
    """Write what the summary says as a page; report a failure in one line."""
    from components.report.page import build_page
    from components.report.views.material import Material

    material = Material(pipeline, datetime.now(UTC), summary, texts=False, mistakes=0)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)  # Kubeflow's launcher creates it, Vertex AI does not
        file.write_bytes(build_page(material).encode())
    except Exception as error:
        sys.stderr.write(f"could not leave a page: {type(error).__name__}: {error}\n")


if __name__ == "__main__":
    main()
