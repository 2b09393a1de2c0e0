"""Executor of TextExampleGen: reads the inputs with Beam, and writes examples, quarantine and report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from tfx.components.example_gen.write_split import to_file_format_str
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from components.common import files
from components.common.progress import PROGRESS
from components.example_gen import quarantine, runs, shards
from components.example_gen.check import check_sources
from components.example_gen.dealing import STRATIFIED, assign_dealt, count_partition, deal_out
from components.example_gen.driver import (
    DEAL_KEY,
    FINGERPRINT_KEY,
    PROJECT_KEY,
    REGISTRY_KEY,
    SETTINGS_KEY,
    SPANS_KEY,
    resolved_sources,
)
from components.example_gen.formats.opening import open_table
from components.example_gen.ingest import Ingest, Ingestion, Part, merge_parts
from components.example_gen.merging import find_conflicts
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.parsing.labels import read_label_names
from components.example_gen.report import IngestReport
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.bigquery.queries import to_row
from components.example_gen.sources.settings import SPLITS
from components.example_gen.sources.sources import InputFile, Sources
from components.example_gen.verdict import refuse_unusable
from components.stratification.memory import number_to_start_from, read_deal, read_remembered, write_deal

LABEL_CHANGES_KEY = "label_changes"  # execution property: LabelChanges as JSON
QUARANTINE_KEY = "quarantine"


class Executor(BaseBeamExecutor):  # type: ignore[misc]
    """Executor that reads every input once and fills the artifacts `examples` and `quarantine`."""

    def Do(  # noqa: N802 - named by TFX
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Read the inputs and write the artifacts; called by TFX's launcher.

        Raises:
            Refused: The inputs cannot make a data set. The artifacts are then left empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = ExamplesSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        changes = LabelChanges.model_validate_json(exec_properties.get(LABEL_CHANGES_KEY) or "{}")
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        quarantine_uri = artifact_utils.get_single_instance(output_dict[QUARANTINE_KEY]).uri
        sources = resolved_sources(settings, exec_properties.get(SPANS_KEY))
        sources = check_sources(sources, settings, exec_properties.get(PROJECT_KEY, ""))
        PROGRESS.info("reading %d x %s", len(sources.files), "query" if settings.has_queries else "file")
        try:
            shards.make_folders(examples.uri)
            files.make_folder(quarantine_uri)
            with self._make_beam_pipeline() as pipeline:
                start = _start_of_deal(exec_properties) if settings.split_by == STRATIFIED else None
                _ingest(pipeline, settings, changes, sources, examples.uri, quarantine_uri, start)
            report = IngestReport.read(quarantine_uri)
            refuse_unusable(report, settings, quarantine.read_rows(quarantine_uri))
            shards.remove_unfinished(examples.uri)
        except BaseException:
            _empty_folders(examples.uri, quarantine_uri)
            raise
        PROGRESS.info(
            "%d rows read, %d accepted, %d quarantined", report.rows_read, report.accepted, report.quarantined
        )
        _set_properties(examples, report)


@dataclass(frozen=True)
class _StartOfDeal:
    """What a stratified split begins from.

    Attributes:
        registry: The push destination; None if nothing is remembered.
        number: Entry that rows are dealt out beside.
        inputs: Fingerprint of the inputs; empty if it is not known.
    """

    registry: str | None
    number: int
    inputs: str


def _start_of_deal(exec_properties: dict[str, Any]) -> _StartOfDeal:
    registry, inputs = exec_properties.get(REGISTRY_KEY), exec_properties.get(FINGERPRINT_KEY) or ""
    if not registry:
        return _StartOfDeal(None, 0, inputs)
    chosen = exec_properties.get(DEAL_KEY)  # by the driver, where one has run
    number = int(chosen.split()[0]) if chosen else number_to_start_from(registry, inputs)
    return _StartOfDeal(registry, number, inputs)


def _empty_folders(*uris: str) -> None:
    for uri in uris:
        files.remove_folder(uri)
        files.make_folder(uri)  # TFX removes the folder of a failed execution, and would fail if there were none


def _set_properties(examples: Any, report: IngestReport) -> None:
    """Set the properties that TFX's components require of an Examples artifact."""
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))
    if report.spans:
        examples.span = report.spans[-1].span
        examples.version = report.spans[-1].version or 0


def _ingest(
    pipeline: beam.Pipeline,
    settings: ExamplesSettings,
    changes: LabelChanges,
    sources: Sources,
    examples_uri: str,
    quarantine_uri: str,
    start: _StartOfDeal | None,
) -> None:
    """Build the Beam graph: files -> runs of rows on disk -> one shard per partition and split -> the report.

    Only paths and counts pass through Beam.
    """
    partitions = runs.partition_count(sum(map(runs.expanded_size, sources.files)))
    folder = f"{examples_uri}/{shards.UNFINISHED}"
    label_names = read_label_names(settings.labels, settings.input_base)
    job = Ingestion(settings, label_names, changes, folder, partitions)
    read_sources = _read_queries if settings.has_queries else _read_files
    read = read_sources(pipeline, job, sources)
    numbers = pipeline | "Partitions" >> beam.Create(range(partitions)) | "SpreadPartitions" >> beam.Reshuffle()
    parts = beam.pvalue.AsList(read)
    dealt = []
    if start is not None:
        counted = numbers | "Count" >> beam.Map(_count, parts, job, sources.files)
        deal = pipeline | "OnceDealt" >> beam.Create([quarantine_uri])
        deal |= "Deal" >> beam.Map(_deal, beam.pvalue.AsList(counted), settings, start)
        dealt.append(beam.pvalue.AsSingleton(deal))
    written = numbers | "Write" >> beam.ParDo(
        _WritePartition(job, sources.files, examples_uri), parts, *dealt, **_conflicts(numbers, parts, job)
    )
    _ = (
        pipeline
        | "Once" >> beam.Create([quarantine_uri])
        | "Report" >> beam.Map(_finish, beam.pvalue.AsList(read), beam.pvalue.AsList(written), sources)
    )


def _conflicts(numbers: beam.PCollection, parts: beam.pvalue.AsList, job: Ingestion) -> dict[str, beam.pvalue.AsList]:
    """Return files of the conflicts of keys as a side input; empty if rows are not merged by a key."""
    if job.settings.merge_by is None:
        return {}
    return {"conflicts": beam.pvalue.AsList(numbers | "Conflicts" >> beam.Map(_find_conflicts, parts, job))}


def _find_conflicts(partition: int, parts: list[Part], job: Ingestion) -> str:
    """Write the conflicts of the keys of a partition to a file; return its path."""
    found = find_conflicts(runs.read_keys([path for part in parts for path in part.keys], partition))
    return runs.write_batches(found.combine_chunks().to_batches(), found.schema, job.folder)


def _read_files(pipeline: beam.Pipeline, job: Ingestion, sources: Sources) -> beam.PCollection:
    return (
        pipeline
        | "Files" >> beam.Create(runs.units_of_work(sources.files))
        | "SpreadFiles" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(_ReadFiles(job))
    )


def _read_queries(pipeline: beam.Pipeline, job: Ingestion, sources: Sources) -> beam.PCollection:
    from components.example_gen.sources.bigquery.read import ReadRows

    rows = pipeline | "Queries" >> ReadRows(sources.queries, job.settings)
    return rows | "Read" >> beam.ParDo(_ReadQueryRows(job, sources.files))


class _ReadFiles(beam.DoFn):  # type: ignore[misc]
    """Step from some files to runs on disk.

    A bundle that is retried writes new runs; only those of its last attempt are used.
    """

    def __init__(self, job: Ingestion) -> None:
        self._job = job

    def process(self, unit: Sequence[InputFile]) -> Iterator[Part]:
        """Read the files of a unit of work."""
        settings = self._job.settings
        ingest = Ingest(self._job, unit[0].order)
        for file in unit:
            columns, objects = settings.columns_of(file.input), settings.objects_of(file.input)
            with open_table(file.path, settings, file.name, columns=columns, objects=objects) as table:
                ingest.add_table(table, file)
        yield ingest.finish()


class _ReadQueryRows(beam.DoFn):  # type: ignore[misc]
    """Step from the rows of queries, one bundle at a time, to runs on disk. The rows have neither order nor number."""

    def __init__(self, job: Ingestion, queries: Sequence[InputFile]) -> None:
        self._job = job
        self._queries = queries

    def start_bundle(self) -> None:
        """Prepare for the rows of any query."""
        self._ingest = Ingest(self._job, order=0)
        self._sinks = {
            query.order: self._ingest.sink(self._job.settings.columns_of(query.input), query) for query in self._queries
        }
        self._columns = {query.order: self._job.settings.columns_of(query.input) for query in self._queries}

    def process(self, row: tuple[int, dict[str, Any]]) -> None:
        """Add one row: (order of its query, values by column)."""
        order, fields = row
        self._sinks[order].add(to_row(0, fields, self._columns[order]))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Write the rows of the bundle."""
        yield WindowedValue(self._ingest.finish(), GlobalWindow().max_timestamp(), [GlobalWindow()])


class _WritePartition(beam.DoFn):  # type: ignore[misc]
    """Step from one partition of all runs to a shard of each split."""

    def __init__(self, job: Ingestion, inputs: Sequence[InputFile], uri: str) -> None:
        self._job = job
        self._inputs = inputs
        self._uri = uri

    def process(
        self, partition: int, parts: list[Part], deal: str | None = None, conflicts: Sequence[str] = ()
    ) -> Iterator[Part]:
        """Write the shards of a partition, out of the runs of all parts.

        Args:
            partition: Number of the partition.
            parts: What was read.
            deal: Folder of a stratified deal; None if splits are by hash.
            conflicts: Files of the conflicts of keys; empty if rows are not merged by a key.
        """
        table = _read_partition(parts, partition)
        if deal is not None:
            table = assign_dealt(table, read_deal(deal), self._inputs, self._job.settings)
        shard = f"{partition:05d}-of-{self._job.partitions:05d}"
        merge = self._job.settings.copies == "merge"
        found = runs.read_all(conflicts) if conflicts else None
        tally, rejects = shards.write_partition(table, shard, self._uri, self._inputs, merge=merge, conflicts=found)
        yield Part(partition, tally, rejects=[runs.write_rejects(rejects, self._job.folder)] if rejects else [])


def _read_partition(parts: Sequence[Part], partition: int) -> pa.Table:
    paths = [path for part in sorted(parts, key=_order) for path in part.runs]
    return runs.read_partition(paths, partition)


def _count(partition: int, parts: list[Part], job: Ingestion, inputs: Sequence[InputFile]) -> str:
    """Count the rows of a partition by bucket and label; return the file of the counts."""
    return count_partition(_read_partition(parts, partition), inputs, job.settings, job.folder)


def _deal(quarantine_uri: str, counts: list[str], settings: ExamplesSettings, start: _StartOfDeal) -> str:
    """Deal out all rows, and write the deal beside the quarantine; return its folder."""
    remembered = read_remembered(start.registry or "", start.number)
    write_deal(quarantine_uri, deal_out(sorted(counts), settings, remembered.deal), start.inputs)
    return quarantine_uri


def _finish(quarantine_uri: str, read: list[Part], written: list[Part], sources: Sources) -> None:
    """Write quarantine and report. Unreadable rows come first in the quarantine, in their order, then copies."""
    parts = [*sorted(read, key=_order), *sorted(written, key=_order)]
    rejects = [path for part in parts for path in part.rejects]
    quarantine.write_rows(runs.read_rejects(rejects), quarantine_uri)
    merge_parts(parts).report([file.name for file in sources.files], sources.spans).write(quarantine_uri)


def _order(part: Part) -> int:
    return part.order
