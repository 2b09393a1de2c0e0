"""The Beam job of a scoring: inputs -> chunks of rows on disk -> one file of scores for each.

Only paths and counts pass through Beam, so memory does not grow with the rows, and any Beam runner can do it. Beam's
own RunInference (apache_beam.ml.inference, 2.77) and tfx_bsl's would take row by row through Beam, which its in-process
runner holds in memory, and neither sorts texts by length. What is left of their use, one model per process, is Beam's
`Shared`.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from components.common import files
from components.common.progress import PROGRESS
from components.example_gen import runs
from components.example_gen.formats.opening import open_table
from components.example_gen.sources.bigquery.queries import to_row
from components.example_gen.sources.sources import InputFile, Sources
from serving.scoring import shards
from serving.scoring.chunks import ChunkWriter, Part, find_plan, is_usable, make_plan, read_chunk
from serving.scoring.model import TextModel
from serving.scoring.record import Chunk, Plan
from serving.scoring.settings import ScoringSettings

_ROWS_PER_PROGRESS_LINE = 50_000
_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """Parameters of the work, the same for every worker.

    Attributes:
        settings: Inputs, columns and outputs; its `output` is the folder of this scoring.
        model_dir: Directory of the SavedModel.
        model_version: Version of the model; None if it is not a version of a registry.
        processes: Processes that share the cores of a machine.
    """

    settings: ScoringSettings
    model_dir: str
    model_version: int | None
    processes: int = 1

    @property
    def unfinished(self) -> str:
        """Folder of the plan, of chunks, and of shards that are being written."""
        return f"{self.settings.output.rstrip('/')}/{shards.UNFINISHED}"

    def shard(self, number: int, count: int) -> str:
        """Return the path of a shard."""
        return shards.shard_path(self.settings.output, number, count, self.settings.output_format)


@dataclass(frozen=True, slots=True)
class Work:
    """Chunk to score.

    Attributes:
        chunk: The chunk.
        shard: Path of its scores.
        total: Rows of all chunks, for the progress.
    """

    chunk: Chunk
    shard: str
    total: int


def build(pipeline: beam.Pipeline, job: Job, sources: Sources, plan: Plan | None) -> None:
    """Build the Beam graph.

    Args:
        pipeline: The Beam pipeline.
        job: Parameters of the work.
        sources: Inputs; not read if there is a plan.
        plan: Plan of an earlier call that was killed; None if there is none.
    """
    if plan is None:
        read = (_read_queries if job.settings.has_queries else _read_files)(pipeline, job, sources)
        once = pipeline | "Once" >> beam.Create([0])
        work = once | "Plan" >> beam.FlatMap(write_plan, beam.pvalue.AsList(read), job)
    else:
        work = pipeline | "Chunks" >> beam.Create(remaining(plan, job))
    _ = work | "Spread" >> beam.Reshuffle() | "Score" >> beam.ParDo(_ScoreChunks(job))


def remaining(plan: Plan, job: Job) -> list[Work]:
    """Return the chunks of a plan that are not scored yet."""
    scored = set(files.list_folder(f"{job.settings.output.rstrip('/')}/{shards.SCORES}"))
    paths = [job.shard(number, len(plan.chunks)) for number in range(len(plan.chunks))]
    return [
        Work(chunk, path, plan.rows.scored)
        for chunk, path in zip(plan.chunks, paths, strict=True)
        if path.rpartition("/")[2] not in scored
    ]


def write_plan(_: int, parts: Sequence[Part], job: Job) -> list[Work]:
    """Write the plan and return the work; none if the inputs are to be refused, which is said where errors are seen."""
    # A runner that repeats the job after a failure has read the rows again, perhaps in another order. The shards that
    # are written belong to the first plan.
    plan = find_plan(job.unfinished)
    if plan is None:
        plan = make_plan(parts)
        plan.write(job.unfinished)
        PROGRESS.info("%d rows read, %d quarantined", plan.rows.read, plan.rows.quarantined)
    return remaining(plan, job) if is_usable(plan) else []


def _read_files(pipeline: beam.Pipeline, job: Job, sources: Sources) -> beam.PCollection:
    return (
        pipeline
        | "Files" >> beam.Create(runs.units_of_work(sources.files))
        | "SpreadFiles" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(_ReadFiles(job))
    )


def _read_queries(pipeline: beam.Pipeline, job: Job, sources: Sources) -> beam.PCollection:
    from components.example_gen.sources.bigquery.read import ReadRows

    rows = pipeline | "Queries" >> ReadRows(sources.queries, job.settings)
    return rows | "Read" >> beam.ParDo(_ReadQueryRows(job, sources.files))


class _ReadFiles(beam.DoFn):  # type: ignore[misc]
    """Step from some files to chunks. A bundle that is retried writes new ones; those of its last attempt are used."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, unit: Sequence[InputFile]) -> Iterator[Part]:
        """Read the files of a unit of work."""
        settings, read = self._job.settings, 0
        writer = ChunkWriter(settings, self._job.unfinished, unit[0].order)
        for file in unit:
            with open_table(file.path, settings, file.name, columns=settings.used_columns) as table:
                parser = writer.parser(table.columns, file, table.others)
                for row in table.rows:
                    writer.add(row, parser)
                    read += 1
                    if read % _ROWS_PER_PROGRESS_LINE == 0:
                        PROGRESS.info("%d rows read", read)
        yield writer.finish()


class _ReadQueryRows(beam.DoFn):  # type: ignore[misc]
    """Step from the rows of queries, one bundle at a time, to chunks. The rows have neither order nor number."""

    def __init__(self, job: Job, queries: Sequence[InputFile]) -> None:
        self._job, self._queries = job, queries

    def start_bundle(self) -> None:
        """Prepare for the rows of any query."""
        self._writer = ChunkWriter(self._job.settings, self._job.unfinished, order=0)
        columns = self._job.settings.used_columns
        self._parsers = {query.order: self._writer.parser(columns, query) for query in self._queries}

    def process(self, row: tuple[int, dict[str, Any]]) -> None:
        """Add one row: (order of its query, values by column)."""
        order, fields = row
        self._writer.add(to_row(0, fields, self._job.settings.used_columns), self._parsers[order])

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Write the rows of the bundle."""
        yield WindowedValue(self._writer.finish(), GlobalWindow().max_timestamp(), [GlobalWindow()])


class _ScoreChunks(beam.DoFn):  # type: ignore[misc]
    """Step from a chunk to its scores. The model is loaded once in each process."""

    in_this_process: ClassVar[bool] = False  # whether this process shows the progress of single rows

    def __init__(self, job: Job) -> None:
        self._job = job
        self._shared = Shared()

    def setup(self) -> None:
        """Load the model, unless another instance in this process has."""
        job = self._job
        threads = max(1, (os.cpu_count() or 1) // job.processes) if job.processes > 1 else None
        self._model: TextModel = self._shared.acquire(lambda: TextModel(job.model_dir, threads), job.model_dir)
        self._done, self._started = 0, time.monotonic()
        type(self).in_this_process = True

    def process(self, work: Work) -> None:
        """Score a chunk, unless an earlier attempt has."""
        if files.exists(work.shard):
            return
        settings = self._job.settings
        rows = read_chunk(work.chunk.path)
        texts = [text.encode() for text in rows["text"].to_pylist()]
        pairs = None if settings.text_pair is None else [pair.encode() for pair in rows["pair"].to_pylist()]
        probabilities = self._model.probabilities(texts, pairs, settings.batch_size, self._show(work))
        table = shards.scored_table(rows, probabilities, self._model.record, settings, self._job.model_version)
        shards.write_shard(table, settings.output, work.shard, settings.output_format)
        self._done += len(rows)

    def _show(self, work: Work) -> Any:
        def show(rows: int) -> None:
            done = self._done + rows
            rate = done / max(time.monotonic() - self._started, 1e-9)
            PROGRESS.info("%d rows scored, %.0f per second; %d in all", done, rate, work.total)

        return show


@contextmanager
def shards_watched(job: Job) -> Iterator[None]:
    """Report how many shards are complete while the block runs, if the rows are scored by other processes."""
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(job, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(job: Job, ended: threading.Event) -> None:
    shown, plan = -1, None
    while not ended.wait(_POLL_S):
        if _ScoreChunks.in_this_process:
            continue
        if plan is None and files.exists(f"{job.unfinished}/{Plan.FILE}"):
            plan = Plan.read(job.unfinished)
        if plan is not None:
            done = len(plan.chunks) - len(remaining(plan, job))
            if done != shown:
                PROGRESS.info("%d of %d files of scores written", done, len(plan.chunks))
                shown = done
