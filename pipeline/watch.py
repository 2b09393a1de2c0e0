"""A look at what was answered: the comparison, its page and summary, and whether it starts a training."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.files import write_whole
from components.common.memory import check_memory
from components.registry import find_record, latest
from components.report.summary import Summary, failed_summary
from pipeline.config.configuration import Configuration
from pipeline.errors import StepFailed, describe, outcome_of, termination_raised
from pipeline.libraries import libraries_logged
from pipeline.notify import notified
from pipeline.retention import clean_up_after_run
from pipeline.work_dir import WorkDir
from schema.errors import Refused
from serving.watch.page import PAGE_FILE, build_page
from serving.watch.result import WatchResult

_STEP = "watch"
_MOST_EARLIER = 60


def watch(
    config: Configuration, console: Console, end: datetime | None = None, *, verbose: bool = False
) -> tuple[Summary, WatchResult]:
    """Compare the answers of the last window, and show the result.

    The folder `<work_dir>/watch/runs/<time>` gets watch.json, watch.html, summary.json and log.txt.

    Args:
        config: The configuration; it has `watch`.
        console: Where the result is shown.
        end: End of the window, with a time zone; None: now.
        verbose: Show also what the libraries log.

    Returns:
        The summary, whose outcome is steady, drifted or no_new_data (too few answers), and what was found.

    Raises:
        Refused: The configuration has no `watch`, or the log or a profile cannot be read.
        StepFailed: The comparison failed.
    """
    if config.watch is None:
        raise Refused("watch: the configuration has no watch; give it the folder of the request log (docs/serving.md)")
    if config.watch.evidently:
        from serving.watch.evidently_report import check_evidently  # imports pyarrow

        check_evidently()
    name = f"{config.name}-watch"
    work_dir = WorkDir(f"{config.work_dir}/watch")
    with (
        termination_raised(),
        notified(config.notify, name, console) as run,
        work_dir.locked(name, config.concurrency, console.print),
    ):
        folder = work_dir.new_run()
        run.folder = str(folder)
        try:
            result = _compare(config, folder, end or datetime.now(UTC), verbose=verbose, console=console)
        except BaseException as error:
            run.summary = failed_summary(describe(error), outcome_of(error))
            run.summary.write(str(folder))
            raise
        earlier = _earlier(work_dir, folder)
        result.write(str(folder))
        write_whole(str(folder / PAGE_FILE), build_page(config.name, result, earlier).encode())
        run.summary = summary = summarize(result)
        summary.write(str(folder))
        clean_up_after_run(config, console, work_dir)
    show(console, summary, result)
    console.print(Text(f"Page: {folder / PAGE_FILE}"), soft_wrap=True)
    return summary, result


def summarize(result: WatchResult) -> Summary:
    """Return the summary of a look at the answers."""
    judged = [model for model in result.models if model.distances]
    if not judged:
        notes = [note for model in result.models for note in model.notes] or ["nothing was answered in the window"]
        return failed_summary(notes[0], "no_new_data")
    reasons = [each.sentence for each in result.drifted]
    return Summary(outcome="drifted" if reasons else "steady", blessed=False, pushed=None, reasons=reasons)


def asks_for_training(config: Configuration, result: WatchResult) -> bool:
    """Return whether `watch.when` asks for a training run: answers of the live version have drifted.

    Those of an earlier one stay in the window for a while after a push, and ask for nothing.

    Args:
        config: The configuration; it has `watch`.
        result: What was found.

    Raises:
        Refused: The record of the live version cannot be read.
    """
    live = latest(config.registry)
    record = None if live is None else find_record(live)
    if config.watch is None or config.watch.when != "drift" or record is None:
        return False
    models = [model for model in result.models if model.model_id == record.model_id]
    return any(each.has_drifted for model in models for each in model.distances)


def show(console: Console, summary: Summary, result: WatchResult) -> None:
    """Print each model's distances, and what has drifted."""
    console.print(Text(f"Answers from {result.start} to {result.end}"), soft_wrap=True)
    for model in result.models:
        title = f"{model.rows} rows of {'version ' + str(model.version) if model.version else model.model_id[:12]}"
        if model.distances:
            table = Table("feature", "compared with", "measure", "value", "bound", title=title, title_justify="left")
            for each in sorted(model.distances, key=lambda distance: -distance.value / distance.bound)[:12]:
                style = "bold" if each.has_drifted else ""
                values = f"{each.value:.3f}", f"{each.bound:g}"
                table.add_row(each.feature, each.compared_with, each.measure, *values, style=style)
            console.print(table)
        for note in model.notes:
            console.print(Text(f"{title}: {note}"), soft_wrap=True)
    verdict = {"steady": "No drift", "drifted": "Drift:"}.get(summary.outcome, "Not judged:")
    console.print(Text(verdict, style="bold"))
    for reason in summary.reasons:
        console.print(Text(f"  {reason}"), soft_wrap=True)


def _compare(config: Configuration, folder: Path, end: datetime, *, verbose: bool, console: Console) -> WatchResult:
    from pipeline.display import LogLines

    assert config.watch is not None
    check_memory()
    console.print("Loading TensorFlow Data Validation ...")
    with libraries_logged(folder / "log.txt", [LogLines(console)] if verbose else []):
        from serving.watch.compare import compare

        try:
            return compare(config.registry, config.watch, end, str(folder))
        except (Refused, OSError):
            raise
        except Exception as error:
            raise StepFailed(_STEP, error) from error


def _earlier(work_dir: WorkDir, folder: Path) -> list[WatchResult]:
    """Return the results of earlier looks, oldest first; those that cannot be read are left out."""
    found = []
    for run in sorted(work_dir.runs.glob("*"))[-_MOST_EARLIER:]:
        if run != folder:
            try:
                found.append(WatchResult.read(str(run)))
            except (FileNotFoundError, Refused):
                continue
    return found
