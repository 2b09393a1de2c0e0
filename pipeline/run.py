"""One run, from the checks that need no TensorFlow to the summary."""

import logging
import os
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.common.stderr import redirected_stderr
from components.data_gate.verdict import read_verdict
from components.example_gen.report import read_report
from components.example_gen.sources.sources import Sources
from components.report.summary import DataSummary, Summary, failed_summary, summarize_data, summarize_rows
from components.training_log.news import left_out, why_nothing_is_new
from pipeline.check import check_configuration
from pipeline.code import pack_code
from pipeline.config.configuration import Configuration
from pipeline.display import RunDisplay, show_data, show_summary
from pipeline.notify import announced, why_not_to_be_told
from pipeline.paths import WorkDir
from pipeline.report import write_report
from pipeline.run_folder import RunFolder
from pipeline.running import Observers, Runner, RunResult, StepFailed
from schema.errors import Refused


def run_pipeline(config: Configuration, console: Console, runner: Runner, *, force: bool = False) -> Summary | None:
    """Runs the pipeline on this machine and shows what came of it.

    The run's folder, `<work_dir>/runs/<time>`, gets summary.json, report.html, model_card.md, artifacts.json,
    configuration.json and log.txt, whatever the outcome.

    Args:
        config: The configuration.
        console: Where to show it.
        runner: Starts the steps.
        force: Run even if no span is newer than the last one trained on.

    Returns:
        The summary, as written; None if there was nothing new to train on.

    Raises:
        Refused: The configuration or the data was refused.
        StepFailed: A component failed.
    """
    with announced(config.notify, config.name, console) as ending:
        with _alone(config, console, runner) as sources:
            folder = RunFolder(WorkDir(config.work_dir).new_run(), config)
            ending.run = str(folder.path)
            nothing_new = None if force else why_nothing_is_new(config.examples, config.registry, sources)
            if nothing_new is not None:
                failed_summary(nothing_new, "no_new_data").write(str(folder.path))
                console.print(Text(f"Nothing new: {nothing_new}; --force runs even so"), soft_wrap=True)
                return None
            _show_left_out(config, sources, console)
            with _recorded(folder, console):
                outcome = _run(config, folder, console, runner)
                summary = _completed(Summary.read(outcome.artifacts["Report"]["report"]), outcome, sources)
            summary.write(str(folder.path))
            report = _write_report(folder)
        show_summary(console, summary)
        console.print(Text(f"Report: {report or 'could not be written; the log says why'}"), soft_wrap=True)
        console.print(Text(f"Summary: {folder.path / Summary.FILE}"), soft_wrap=True)
        return summary


def check_data(config: Configuration, console: Console, runner: Runner) -> None:
    """Checks configuration and data, as far as the data gate, and shows what the data is.

    Raises:
        Refused: The configuration or the data was refused.
        StepFailed: A component failed.
    """
    with _alone(config, console, runner) as sources:
        folder = RunFolder(WorkDir(config.work_dir).new_run(), config)
        _show_left_out(config, sources, console)
        with _recorded(folder, console):
            outcome = _run(config, folder, console, runner, until="DataGate")
    report = read_report(outcome.artifacts["TextExampleGen"]["quarantine"])
    verdict = read_verdict(outcome.artifacts["DataGate"]["verdict"])
    show_data(console, summarize_rows(report), summarize_data(report, verdict))
    if report.quarantined:
        console.print(Text(f"Quarantined rows: bert-multilabel quarantine {folder.path}"), soft_wrap=True)
    mute = why_not_to_be_told(config.notify)
    if mute is not None:
        console.print(Text(f"Warning: a run here could not notify anybody: {mute}"), soft_wrap=True)
    console.print(Text("The data may be trained on.", style="bold"))


@contextmanager
def _alone(config: Configuration, console: Console, runner: Runner) -> Iterator[Sources]:
    """Holds the working directory; what a run would read, checked."""
    sources = check_configuration(config)
    runner.check(config)
    say = partial(console.print, soft_wrap=True, markup=False, highlight=False)
    with WorkDir(config.work_dir).locked(config.name, config.concurrency, say) as waited:
        # Meanwhile more may have come.
        yield check_configuration(config) if waited else sources


def _show_left_out(config: Configuration, sources: Sources, console: Console) -> None:
    if sources.incomplete:
        console.print(Text(f"Spans {left_out(config.examples, sources)}"), soft_wrap=True)


def _completed(summary: Summary, outcome: RunResult, sources: Sources) -> Summary:
    """The Report's summary with what only the run knows."""
    data = (summary.data or DataSummary()).model_copy(update={"incomplete_spans": list(sources.incomplete)})
    measured = {"durations_s": outcome.durations_s, "peak_memory_mb": _peak_memory_mb()}
    return summary.model_copy(update={"data": data, **measured})


@contextmanager
def _recorded(folder: RunFolder, console: Console) -> Iterator[None]:
    """Leaves a summary in the run's folder also of a run that fails."""
    try:
        yield
    except (Refused, StepFailed) as error:
        summary = folder.failed(str(error), "failed" if isinstance(error, StepFailed) else "refused")
        summary.write(str(folder.path))
        _write_report(folder)
        if isinstance(error, StepFailed):
            console.print(Text(f"Log: {folder.path / 'log.txt'}"), soft_wrap=True)
        elif folder.quarantined:
            console.print(Text(f"Quarantined rows: bert-multilabel quarantine {folder.path}"), soft_wrap=True)
        raise


def _write_report(folder: RunFolder) -> Path | None:
    """The report of a run that is over; whatever is wrong with it must not hide what came of the run."""
    try:
        return write_report(folder.path)
    except Exception:
        with (folder.path / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"no report:\n{traceback.format_exc()}")
        return None


def _run(
    config: Configuration, folder: RunFolder, console: Console, runner: Runner, until: str | None = None
) -> RunResult:
    console.print(Text(f"Pipeline {config.name}: loading TensorFlow and TFX ..."))
    if config.beam.takes_code:
        pack_code(WorkDir(config.work_dir).code)
    with _noise_to(folder.path / "log.txt"), RunDisplay(console) as display:
        return runner.run(config, Observers(display, folder), until=until)


def _peak_memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def _noise_to(log: Path) -> Iterator[None]:
    """Sends what libraries write to stderr, from Python or from C++, to the log; the console keeps the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TensorFlow turns oneDNN on by itself only for some Intel processors; a training step on AMD gains a third by it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with log.open("ab") as file, redirected_stderr(file):
        handler = logging.StreamHandler(open(log, "a", encoding="utf-8"))  # noqa: PTH123, SIM115 - closed below
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
        try:
            yield
        except Exception:
            logging.getLogger(__name__).exception("the run ended here")
            raise
        finally:
            logging.getLogger().removeHandler(handler)
            handler.stream.close()
