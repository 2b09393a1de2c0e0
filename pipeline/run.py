"""One run, from the checks that need no TensorFlow to the summary."""

import logging
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.report.summary import SUMMARY_FILE, Summary, failed_summary, read_summary, write_summary
from pipeline.check import check_configuration
from pipeline.config import Configuration
from pipeline.display import RunDisplay, show_summary
from pipeline.outcome import StepFailed
from pipeline.paths import WorkDir
from schema.errors import Refused


def run_pipeline(config: Configuration, console: Console) -> Summary:
    """Runs the pipeline on this machine and shows what came of it.

    The run's folder, `<work_dir>/runs/<time>`, gets summary.json and log.txt, whatever the outcome.

    Returns:
        The summary, as written.

    Raises:
        Refused: The configuration or the data was refused.
        StepFailed: A component failed.
    """
    check_configuration(config)
    work_dir = WorkDir(config.work_dir)
    with work_dir.locked(config.name):
        folder = work_dir.new_run()
        try:
            summary = _run(config, folder, console)
        except (Refused, StepFailed) as error:
            write_summary(str(folder), failed_summary(str(error)))
            if isinstance(error, StepFailed):
                console.print(Text(f"Log: {folder / 'log.txt'}"), soft_wrap=True)
            raise
        write_summary(str(folder), summary)
    show_summary(console, summary)
    console.print(Text(f"Summary: {folder / SUMMARY_FILE}"), soft_wrap=True)
    return summary


def _run(config: Configuration, folder: Path, console: Console) -> Summary:
    console.print(Text(f"Pipeline {config.name}: loading TensorFlow and TFX ..."))
    with _noise_to(folder / "log.txt"), RunDisplay(console) as display:
        # By name: runners know the pipeline, the pipeline does not know what runs it.
        outcome = import_module("runners.local").run(config, display)
    summary = read_summary(outcome.report_uri)
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return summary.model_copy(update={"durations_s": outcome.durations_s, "peak_memory_mb": peak_memory_mb})


@contextmanager
def _noise_to(log: Path) -> Iterator[None]:
    """Sends what libraries write to stderr, from Python or from C++, to the log; the console keeps the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TensorFlow turns oneDNN on by itself only for some Intel processors; a training step on AMD gains a third by it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.stderr.flush()
    terminal = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
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
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
