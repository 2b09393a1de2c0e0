"""Scoring of files on this machine: from the checks that need no TensorFlow to the record of what was written."""

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.common.files import is_remote, make_private_folder
from components.common.memory import check_memory
from components.example_gen.check import check_sources
from components.example_gen.sources.bigquery.queries import billed_project
from components.example_gen.sources.sources import Sources, find_sources
from pipeline.beam import beam_arguments
from pipeline.code import pack_code
from pipeline.config.score import ScoreConfiguration
from pipeline.display import LogLines, RunDisplay
from pipeline.errors import StepFailed, termination_raised
from pipeline.libraries import libraries_logged
from schema.errors import Refused
from serving.scoring.record import ScoringRecord
from serving.scoring.run import QUARANTINE, begin, choose, keys_of_scoring, run, with_id_column
from serving.scoring.shards import SCORES, UNFINISHED

_STEP = "Scoring"


def score(config: ScoreConfiguration, model: str, console: Console, *, verbose: bool = False) -> ScoringRecord:
    """Score rows with a model, or what is left of them after a call that was killed.

    Args:
        config: Rows, columns and output, and where Beam does the work.
        model: Directory of a model, or a registry, which stands for its live version.
        console: Where progress and result are shown.
        verbose: Show also what the libraries log.

    Returns:
        The record of the output's folder.

    Raises:
        Refused: Model, inputs or output do not fit, or the output has other scores.
        StepFailed: The job failed.
    """
    with termination_raised(), keys_of_scoring(), _held(config.scoring.output):
        chosen = choose(config.scoring.output, model)
        project = billed_project(config.scoring, beam_arguments(config)) if config.scoring.has_queries else ""
        sources = find_sources(config.scoring)
        config = config.model_copy(update={"scoring": with_id_column(config.scoring, sources)})
        check_sources(sources, config.scoring, project)
        _check_reach(config, chosen.path)
        record = begin(config.scoring, chosen, sources)
        if record.finished is not None:
            console.print(Text("Nothing to do: everything was scored before"), soft_wrap=True)
        else:
            record = _run(config, record, sources, console, verbose=verbose)
    show_scores(console, config.scoring.output, record)
    return record


def show_scores(console: Console, output: str, record: ScoringRecord) -> None:
    """Print what was read, scored and quarantined, and where it is."""
    rows = record.rows
    assert rows is not None
    reasons = ", ".join(f"{count} {reason}" for reason, count in rows.reasons.items())
    console.print(
        f"Rows: {rows.read} read, {rows.scored} scored, {rows.quarantined} quarantined"
        + (f" ({reasons})" if reasons else "")
    )
    version = "" if record.model.version is None else f" version {record.model.version},"
    console.print(Text(f"Model:{version} {record.model.model_id[:12]}"), soft_wrap=True)
    if rows.quarantined:
        console.print(Text(f"Quarantined rows: {output}/{QUARANTINE}/rows.parquet"), soft_wrap=True)
    files = "1 file" if record.shards == 1 else f"{record.shards} files"
    console.print(Text(f"Scores: {output}/{SCORES} ({files})", style="bold"), soft_wrap=True)


def _check_reach(config: ScoreConfiguration, model_dir: str) -> None:
    """Refuse what Dataflow's workers cannot reach."""
    if config.beam.runner != "dataflow":
        return
    paths = {"--model": model_dir, "--output": config.scoring.output}
    if not config.scoring.has_queries:
        paths["--input"] = config.scoring.input_base
    for option, path in paths.items():
        if not is_remote(path):
            raise Refused(f"{option} {path}: Dataflow's workers do not have it; give an address gs://BUCKET/...")


def _run(
    config: ScoreConfiguration, record: ScoringRecord, sources: Sources, console: Console, *, verbose: bool
) -> ScoringRecord:
    output = config.scoring.output
    check_memory()
    console.print(Text("Loading TensorFlow and Beam ..."))
    code = None
    if config.beam.takes_code and not is_remote(output):
        code = Path(output, UNFINISHED, "code.zip")
        pack_code(code)
    with _log_file(output) as log, libraries_logged(log, [LogLines(console)] if verbose else []):
        import apache_beam as beam

        processes = config.beam.workers if config.beam.runner == "multi_processing" else 1
        with RunDisplay(console) as display:
            display.step_started(_STEP, 1, 1)
            started = time.monotonic()
            try:
                finished = run(
                    config.scoring,
                    record,
                    sources,
                    lambda: beam.Pipeline(argv=beam_arguments(config, code)),
                    processes,
                )
            except Refused:
                raise
            except Exception as error:
                raise StepFailed(_STEP, error) from error
            display.step_finished(_STEP, time.monotonic() - started, cached=False, outputs={})
            return finished


@contextmanager
def _log_file(output: str) -> Iterator[Path]:
    """Yield the path of the libraries' log: in the output's folder or, of a remote one, in a temporary file."""
    if not is_remote(output):
        log = Path(output, "log.txt")
        log.touch(mode=0o600)
        yield log
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "log.txt")


@contextmanager
def _held(output: str) -> Iterator[None]:
    """Hold the folder of a scoring, if it is local; the lock of a killed process ends with it.

    Raises:
        Refused: Another process scores into it, or it cannot be written.
    """
    if is_remote(output):
        yield
        return
    lock = Path(output, ".lock")
    is_new = not Path(output).exists()
    try:
        make_private_folder(output)
        file = lock.open("w")
    except OSError as error:
        raise Refused(f"--output {output}: cannot be written ({(error.strerror or str(error)).lower()})") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"--output {output}: another process is scoring into it; wait for it") from None
        try:
            yield
        except Refused:
            if is_new and not Path(output, ScoringRecord.FILE).exists():
                _remove_empty(Path(output))
            raise


def _remove_empty(folder: Path) -> None:
    """Remove what a refused scoring leaves of a folder that it created."""
    with suppress(OSError):
        for leftover in (folder / ".lock", folder / "log.txt"):
            leftover.unlink(missing_ok=True)
        for inner in (SCORES, QUARANTINE):
            if (folder / inner).exists():
                (folder / inner).rmdir()
        folder.rmdir()
