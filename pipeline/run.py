"""Running of a pipeline on this machine, from the checks that need no TensorFlow to the summary."""

import logging
import resource
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.common.memory import check_memory
from components.data_gate.verdict import Verdict
from components.example_gen.report import IngestReport
from components.example_gen.sources.sources import Sources
from components.report.summary import DataSummary, Summary, failed_summary, summarize_data, summarize_rows
from components.report.summary.cut import SLICES_FILE
from components.training_log.news import left_out, why_nothing_is_new
from pipeline.check import check_configuration, check_rows
from pipeline.code import pack_code
from pipeline.config.configuration import Configuration
from pipeline.disk import Usage, check_disk
from pipeline.display import LogLines, RunDisplay, show_account, show_data, show_summary
from pipeline.errors import termination_raised
from pipeline.libraries import libraries_logged
from pipeline.notify import RunInProgress, find_problem, notified
from pipeline.registry import adopt_registry, check_registry, check_remote_registry
from pipeline.report import write_report
from pipeline.retention import clean_up_after_run, settle
from pipeline.run_folder import RunFolder
from pipeline.running import Observers, Runner, RunResult
from pipeline.work_dir import WorkDir
from schema.errors import Refused


def run_pipeline(
    config: Configuration,
    console: Console,
    runner: Runner,
    *,
    force: bool = False,
    adopt: bool = False,
    verbose: bool = False,
) -> Summary:
    """Run the pipeline on this machine and show the result.

    The run's folder, `<work_dir>/runs/<time>`, gets summary.json, report.html, model_card.md, artifacts.json,
    configuration.json and log.txt, whatever the outcome.

    Args:
        config: The configuration.
        console: Where progress and result are shown.
        runner: Runner that starts the steps.
        force: Run even if no span is newer than the last one trained on.
        adopt: Take the registry over if it belongs to another pipeline.
        verbose: Show also what the libraries log.

    Returns:
        The summary, as written into the run's folder.

    Raises:
        Refused: The configuration or the data was refused.
        StepFailed: A component failed.
    """
    with termination_raised(), notified(config.notify, config.name, console) as run:
        with (
            _locked_work_dir(config, console, runner, adopt=adopt) as sources,
            _cleaned_up(config, console),
        ):
            folder = RunFolder(WorkDir(config.work_dir).new_run(), config)
            run.folder = str(folder.path)
            nothing_new = None if force else why_nothing_is_new(config.examples, config.registry, sources)
            if nothing_new is not None:
                run.summary = summary = failed_summary(nothing_new, "no_new_data")
                summary.write(str(folder.path))
                console.print(Text(f"Nothing new: {nothing_new}; --force trains anyway"), soft_wrap=True)
                return summary
            _show_incomplete_spans(config, sources, console)
            with failure_summarized(run, folder, console):
                before = Usage.measure(config)
                check_disk(config)
                _check_rows(config, sources, folder, console)
                result = run_steps(config, folder, console, runner, verbose=verbose)
                summary = _complete(Summary.read(result.artifacts["Report"]["report"]), result, sources)
                summary = summary.model_copy(update={"disk": Usage.measure(config).grown_since(before)})
                run.summary = summary
                summary.write(str(folder.path))
                if summary.slices_note:
                    shutil.copy(Path(result.artifacts["Report"]["report"], SLICES_FILE), folder.path)
            report = _try_write_report(folder)
        show_summary(console, summary)
        show_account(console, summary)
        console.print(Text(f"Report: {report or 'could not be written; log.txt says why'}"), soft_wrap=True)
        console.print(Text(f"Summary: {folder.path / Summary.FILE}"), soft_wrap=True)
        _show_next_commands(config, result, console)
        return summary


def check_data(config: Configuration, console: Console, runner: Runner) -> None:
    """Run the pipeline as far as the data gate, and show what it found in the data.

    Args:
        config: The configuration.
        console: Where progress and result are shown.
        runner: Runner that starts the steps.

    Raises:
        Refused: The configuration or the data was refused.
        StepFailed: A component failed.
    """
    with _locked_work_dir(config, console, runner) as sources, _cleaned_up(config, console):
        folder = RunFolder(WorkDir(config.work_dir).new_run(), config)
        _show_incomplete_spans(config, sources, console)
        with termination_raised(), failure_summarized(RunInProgress(str(folder.path)), folder, console):
            _check_rows(config, sources, folder, console)
            result = run_steps(config, folder, console, runner, until="DataGate")
    report = IngestReport.read(result.artifacts["TextExampleGen"]["quarantine"])
    verdict = Verdict.read(result.artifacts["DataGate"]["verdict"])
    show_data(console, summarize_rows(report), summarize_data(report, verdict))
    if report.quarantined:
        _show_quarantine_command(folder, console)
    webhook_problem = find_problem(config.notify)
    if webhook_problem is not None:
        console.print(Text(f"Warning: a run here could not call the webhook: {webhook_problem}"), soft_wrap=True)
    console.print(Text("The data may be trained on.", style="bold"))


@contextmanager
def _locked_work_dir(
    config: Configuration, console: Console, runner: Runner, *, adopt: bool = False
) -> Iterator[Sources]:
    """Check configuration and runner, then hold the working directory; yield the checked inputs."""
    sources = check_configuration(config)
    runner.check(config)
    show = partial(console.print, soft_wrap=True)
    check_registry(config, adopting=adopt)
    with WorkDir(config.work_dir).locked(config.name, config.concurrency, show) as waited:
        WorkDir(config.work_dir).check_metadata()
        if adopt:
            show(Text(adopt_registry(config, config.registry)))
        # New inputs may have arrived while this run waited.
        yield check_configuration(config) if waited else sources


@contextmanager
def _cleaned_up(config: Configuration, console: Console) -> Iterator[None]:
    """Remove what retention says, however the run in the block ended, unless somebody is waiting for it to end."""
    try:
        yield
    except Exception:
        clean_up_after_run(config, console)
        raise
    clean_up_after_run(config, console)


def _check_rows(config: Configuration, sources: Sources, folder: RunFolder, console: Console) -> None:
    """Refuse data that cannot be trained on before anything slow is loaded.

    Raises:
        Refused: The data has labels that the schema does not know, or too many rows that cannot be read.
    """
    if config.pipeline == "score":
        return
    found, against = check_rows(config, sources)
    if found is None:
        return
    if against:
        folder.keep_first_pass(found)
        raise Refused(f"the data may not be trained on: {'; '.join(against)}")
    report = found.report
    which = "" if found.is_complete else "the first "
    unusable = f", {report.quarantined:,} of them unusable" if report.quarantined else ""
    console.print(
        Text(f"Read {which}{report.rows_read:,} rows{unusable}: all labels are in the schema"), soft_wrap=True
    )


def _show_incomplete_spans(config: Configuration, sources: Sources, console: Console) -> None:
    if sources.incomplete:
        console.print(Text(f"Spans {left_out(config.examples, sources)}"), soft_wrap=True)


def _show_next_commands(config: Configuration, result: RunResult, console: Console) -> None:
    console.print(Text(f"Losses: tensorboard --logdir {result.artifacts['Trainer']['model_run']}"), soft_wrap=True)
    console.print(Text(f"Try it: bert-multilabel predict --model {config.registry} --text '...'"), soft_wrap=True)


def _show_quarantine_command(folder: RunFolder, console: Console) -> None:
    console.print(Text(f"Quarantined rows: bert-multilabel quarantine {folder.path}"), soft_wrap=True)


def _complete(summary: Summary, result: RunResult, sources: Sources) -> Summary:
    """Add to the Report's summary what only the whole run knows."""
    data = (summary.data or DataSummary()).model_copy(update={"incomplete_spans": list(sources.incomplete)})
    last_peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # given in KiB; each step resets it
    peaks_mb = [cost.peak_memory_mb for cost in result.costs.values() if cost.peak_memory_mb is not None]
    peak_memory_mb = max([last_peak_mb, *peaks_mb])
    return summary.model_copy(
        update={
            "data": data,
            "durations_s": result.durations_s,
            "costs": result.costs,
            "peak_memory_mb": peak_memory_mb,
        }
    )


@contextmanager
def failure_summarized(run: RunInProgress, folder: RunFolder, console: Console) -> Iterator[None]:
    """Write a summary and a report also for a run that fails, and tell what it had pushed by then."""
    try:
        yield
    except BaseException as error:  # also an interruption, and SIGTERM
        run.summary = run.summary or folder.summarize_failure(error)
        with suppress(OSError):  # such as a full disk, which may be the error itself; the webhook gets the summary
            run.summary.write(str(folder.path))
            _try_write_report(folder)
        if run.summary.pushed is not None:
            console.print(Text(f"Pushed: {run.summary.pushed}", style="bold"), soft_wrap=True)
        if not isinstance(error, Refused):
            console.print(Text(f"Log: {folder.log}"), soft_wrap=True)
        elif folder.quarantined:
            _show_quarantine_command(folder, console)
        raise


def _try_write_report(folder: RunFolder) -> Path | None:
    """Write the report of a run that has ended; an error goes to the log, since it must not hide the run's result."""
    try:
        return write_report(folder.path)
    except Exception:
        with folder.log.open("a", encoding="utf-8") as log:
            log.write(f"no report:\n{traceback.format_exc()}")
        return None


def run_steps(
    config: Configuration,
    folder: RunFolder,
    console: Console,
    runner: Runner,
    *,
    until: str | None = None,
    verbose: bool = False,
) -> RunResult:
    """Run the steps of a pipeline, with their progress on the console and what libraries log in the run's folder.

    Args:
        config: The configuration.
        folder: Folder of the run.
        console: Where progress is shown.
        runner: Runner that starts the steps.
        until: Last component to run; None: all.
        verbose: Show also what the libraries log.
    """
    check_memory()
    console.print(Text(f"Pipeline {config.name}: loading TensorFlow and TFX ..."))
    settle(WorkDir(config.work_dir), console)
    if config.beam.takes_code:
        pack_code(WorkDir(config.work_dir).code)
    handlers: list[logging.Handler] = [logging.FileHandler(folder.log, encoding="utf-8")]
    if verbose:
        handlers.append(LogLines(console))
    with libraries_logged(folder.log, handlers), RunDisplay(console) as display:
        check_remote_registry(config)
        return runner.run(config, Observers(display, folder), until=until)
