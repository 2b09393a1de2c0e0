"""Reads the files with Beam, and writes examples, quarantine and report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import apache_beam as beam
from tfx.components.example_gen.write_split import to_file_format_str
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from components import files
from components.example_gen import quarantine, shards
from components.example_gen.columns import find_columns
from components.example_gen.inputs import InputFile, check_inputs, read_table
from components.example_gen.labels import make_label_parser, read_label_names
from components.example_gen.parsing import RowParser
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import Tally, read_report, write_report
from components.example_gen.rows import Rejected, Table
from components.example_gen.settings import SPLITS, ExamplesSettings, Split
from components.example_gen.splitting import Splitter
from components.example_gen.verdict import refuse_unusable
from components.progress import PROGRESS

SETTINGS_KEY = "settings"  # the execution property that holds the settings as JSON
QUARANTINE_KEY = "quarantine"

_BATCH_ROWS = 100  # Beam's own work on an element costs more than reading a row: it gets a hundred at a time
_EXAMPLES, _REJECTED, _TALLY = "examples", "rejected", "tally"


class Executor(BaseBeamExecutor):  # type: ignore[misc]
    """What TextExampleGen runs."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Reads every file once and fills the artifacts `examples` and `quarantine`.

        Raises:
            Refused: The input cannot make a data set; the artifacts are then left empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = ExamplesSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        quarantine_uri = artifact_utils.get_single_instance(output_dict[QUARANTINE_KEY]).uri
        inputs = check_inputs(settings)
        PROGRESS.info("reading %d file%s", len(inputs), "" if len(inputs) == 1 else "s")
        try:
            shards.make_folders(examples.uri)
            files.make_folder(quarantine_uri)
            with self._make_beam_pipeline() as pipeline:
                _ingest(pipeline, settings, inputs, examples.uri, quarantine_uri)
            report = read_report(quarantine_uri)
            refuse_unusable(report, settings, quarantine.read_rows(quarantine_uri))
            shards.remove_unfinished(examples.uri)
        except BaseException:
            _empty(examples.uri, quarantine_uri)
            raise
        PROGRESS.info("%d rows read, %d accepted, %d quarantined", report.read, report.accepted, report.quarantined)
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))


def _empty(*uris: str) -> None:
    for uri in uris:
        files.remove_folder(uri)
        files.make_folder(uri)  # TFX removes it, and would stumble over its absence


def _ingest(
    pipeline: beam.Pipeline,
    settings: ExamplesSettings,
    inputs: Sequence[InputFile],
    examples_uri: str,
    quarantine_uri: str,
) -> None:
    """Builds the Beam graph: files -> (examples, rejected rows, one tally a file) -> artifacts."""
    read = _ReadFile(settings, read_label_names(settings), shards.shard_counts(settings, inputs))
    outcomes = (
        pipeline
        | "Files" >> beam.Create(inputs)
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(read).with_outputs(_REJECTED, _TALLY, main=_EXAMPLES)
    )
    _ = outcomes[_EXAMPLES] | "Gather" >> beam.GroupByKey() | "WriteShard" >> beam.Map(_write_shard, uri=examples_uri)
    _ = (
        outcomes[_REJECTED]
        | "Collect" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "WriteRows" >> beam.Map(_write_rejected, names=[file.name for file in inputs], uri=quarantine_uri)
    )
    _ = (
        outcomes[_TALLY]
        | "Count" >> beam.CombineGlobally(_MergeTallies())
        | "WriteReport" >> beam.Map(_write_tally, names=[file.name for file in inputs], uri=quarantine_uri)
    )


class _ReadFile(beam.DoFn):  # type: ignore[misc]
    """Yields what becomes of each row of a file, and at its end how many became what.

    A file is one element: a bundle that is retried does all of it again, so its tally always fits its rows.
    """

    def __init__(self, settings: ExamplesSettings, label_names: Sequence[str], shard_counts: dict[Split, int]) -> None:
        self._settings = settings
        self._label_names = label_names
        self._shard_counts = shard_counts

    def process(self, file: InputFile) -> Iterator[Any]:
        with files.open_input(file.path) as stream:
            yield from self._outcomes(file, read_table(stream, self._settings, file.name))

    def _outcomes(self, file: InputFile, table: Table) -> Iterator[Any]:
        settings = self._settings
        layout = find_columns(table.columns, settings, file.name)
        parser = RowParser(file.name, layout, make_label_parser(settings, self._label_names))
        splitter = Splitter(settings, settings.inputs[file.input])
        tally = Tally()
        batches: defaultdict[str, list[bytes]] = defaultdict(list)
        for row in table.rows:
            tally.read += 1
            outcome = row if isinstance(row, Rejected) else parser.parse(row)
            if isinstance(outcome, Rejected):
                tally.reasons[outcome.reason] += 1
                yield beam.pvalue.TaggedOutput(_REJECTED, (file.order, outcome.line, outcome.sentence, outcome.raw))
                continue
            split = splitter.split_of(outcome)
            tally.accept(split, outcome.labels, file.order, row.line)
            order = shards.order_of(file.name, row.line)
            shard = shards.shard_name(split, order, self._shard_counts[split])
            batches[shard].append(order + shards.serialize(outcome, settings.slices))
            if len(batches[shard]) == _BATCH_ROWS:
                yield shard, batches.pop(shard)
        yield from batches.items()
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


class _MergeTallies(beam.CombineFn):  # type: ignore[misc]
    def create_accumulator(self) -> Tally:
        return Tally()

    def add_input(self, accumulator: Tally, element: Tally) -> Tally:
        accumulator.merge(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        merged = Tally()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: Tally) -> Tally:
        return accumulator


def _write_shard(shard: tuple[str, Iterable[list[bytes]]], uri: str) -> None:
    name, batches = shard
    shards.write_shard(name, chain.from_iterable(batches), uri)


def _write_tally(tally: Tally, names: Sequence[str], uri: str) -> None:
    write_report(tally.report(names), uri)


def _write_rejected(rows: list[tuple[int, int, str, str]], names: Sequence[str], uri: str) -> None:
    in_order = (QuarantinedRow(names[order], line, reason, raw) for order, line, reason, raw in sorted(rows))
    quarantine.write_rows(in_order, uri)
