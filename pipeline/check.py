"""Checks of a configuration that need no TensorFlow and take well under a second."""

from components.behaviour.settings import BehaviourTests
from components.behaviour.tests_file import read_tests
from components.checkpoints.find import Checkpoint, check_vocabulary, find_checkpoint
from components.data_gate.reasons import shares_above_bounds, unknown_labels
from components.evaluation.gates.checks import GateNames, check_gates
from components.example_gen.check import check_inputs
from components.example_gen.first_pass import FirstPass, read_all_rows
from components.example_gen.parsing.label_changes import changes_of
from components.example_gen.sources.bigquery.queries import billed_project
from components.example_gen.sources.sources import Sources
from components.preprocessing.settings import LEAST_PAIR_TOKENS
from components.tracking.settings import check_client
from components.variants.settings import check_variants
from pipeline.beam import beam_arguments
from pipeline.config.configuration import Configuration
from pipeline.locations import local_locations
from schema.domains import string_domains
from schema.errors import Refused
from schema.features import TEXT_PAIR
from schema.label_list import LabelList, label_list, read_schema
from schema.nearest import nearest


def check_configuration(config: Configuration) -> Sources:
    """Check that inputs, columns, schema, checkpoint and gates fit each other.

    Returns:
        The inputs that a run would read.

    Raises:
        Refused: Something does not fit; the message says what to do.
    """
    local_locations(config)
    check_client(config.tracking)
    sources = check_inputs(config.examples, project_of_queries(config))
    check_without_data(config)
    return sources


def check_without_data(config: Configuration) -> None:
    """Check everything except the inputs, which need not be within reach of the machine that compiles a pipeline.

    Raises:
        Refused: Something does not fit; the message says what to do.
    """
    if config.pipeline == "score":
        check_scoring(config)
        return
    schema = read_schema(config.schema_file)
    labels = label_list(schema)
    features = {feature.name for feature in schema.feature}
    _check_slices(config, features)
    _check_asked(config, labels)
    slicing = config.evaluation.slicing(len(labels.active))
    check_gates(config.evaluation.gates, GateNames(labels, slicing, string_domains(schema)))
    check_variants(
        config.training,
        labels,
        truncation=config.truncation,
        is_pair=config.examples.text_pair is not None,
    )
    checkpoint = find_checkpoint(config.checkpoint)
    check_vocabulary(checkpoint)
    positions = checkpoint.architecture.positions
    if config.max_tokens > positions:
        raise Refused(
            f"max_tokens is {config.max_tokens}, but checkpoint {config.checkpoint} has {positions} "
            "positions; lower max_tokens"
        )
    _check_layers(config, checkpoint)
    _check_pair(config, features, checkpoint)
    behavioural_tests(config, labels)


def check_rows(config: Configuration, sources: Sources) -> tuple[FirstPass | None, list[str]]:
    """Read the rows without TensorFlow, and find what the data gate would refuse for certain.

    Args:
        config: The configuration, of a training.
        sources: Its inputs.

    Returns:
        What was read, None if it is not on this machine; and the reasons against the data. Shares of rows are judged
        only if all rows were read in time, unknown labels in any case.

    Raises:
        Refused: A file cannot be read, or lacks a column.
    """
    labels = label_list(read_schema(config.schema_file))
    changes = changes_of(labels, with_names=config.examples.has_unknown_labels)
    found = read_all_rows(config.examples, sources, changes)
    if found is None:
        return None, []
    against = unknown_labels(found.report, labels)
    if not found.is_complete:
        return found, against
    first: dict[str, str] = {}
    for file, row in found.rejects:
        example = f"such as {row.detail}" if row.detail else "the first"
        first.setdefault(row.reason, f"{example} at {file}:{row.line}")
    return found, against + shares_above_bounds(found.report, config.data_gate, first)


def behavioural_tests(config: Configuration, labels: LabelList) -> BehaviourTests:
    """Return the behavioural tests of the configuration; without any group if it names no file.

    Raises:
        Refused: The file cannot be read, or does not fit schema and configuration.
    """
    if config.behaviour is None:
        return BehaviourTests()
    return read_tests(config.behaviour, labels, pair=config.examples.text_pair is not None)


def project_of_queries(config: Configuration) -> str:
    """Return the Google Cloud project that pays for BigQuery; empty if the rows are not read from there."""
    rows = config.scoring if config.pipeline == "score" else config.examples
    return billed_project(rows, beam_arguments(config)) if rows is not None and rows.has_queries else ""


def check_scoring(config: Configuration) -> None:
    """Check that there is something to score.

    Raises:
        Refused: The configuration has no `scoring`.
    """
    if config.scoring is None:
        raise Refused("pipeline score: the configuration has no scoring; give it inputs and output (docs/scoring.md)")


def _check_slices(config: Configuration, features: set[str]) -> None:
    for name in config.examples.slices:
        if name not in features:
            raise Refused(f"{config.schema_file}: no feature '{name}', which examples.slices names; add it there")
    for name in config.evaluation.slice_columns:
        if name not in config.examples.slices:
            known = ", ".join(config.examples.slices) or "none"
            raise Refused(
                f"evaluation.slices names '{name}', which is not one of examples.slices ({known}); add it there"
            )


def _check_asked(config: Configuration, labels: LabelList) -> None:
    known = (*labels.names, *labels.aliases)
    for index, entry in enumerate(config.examples.inputs):
        for label in entry.asked_labels or ():
            if label not in known:
                raise Refused(
                    f"examples.inputs[{index}].asked: there is no label {label!r}; {nearest(label, labels.active)}"
                )


def _check_layers(config: Configuration, checkpoint: Checkpoint) -> None:
    trainable, layers = config.training.trainable, checkpoint.architecture.layers
    if isinstance(trainable, int) and trainable > layers:
        raise Refused(
            f"training.trainable is {trainable}, but checkpoint {config.checkpoint} has {layers} encoder layers; lower"
            " it, or write all"
        )


def _check_pair(config: Configuration, features: set[str], checkpoint: Checkpoint) -> None:
    """Check that schema, configuration and checkpoint agree on whether texts come in pairs."""
    column = config.examples.text_pair
    if column is None:
        if any(not isinstance(request, str) for request in config.canary.requests):
            raise Refused("canary.requests has a pair, but examples.text_pair names no column; write single texts")
        if TEXT_PAIR in features:
            raise Refused(
                f"{config.schema_file}: has feature '{TEXT_PAIR}', but examples.text_pair names no column; "
                "name it, or remove the feature"
            )
        return
    if TEXT_PAIR not in features:
        raise Refused(
            f"{config.schema_file}: no feature '{TEXT_PAIR}', which examples.text_pair ({column}) fills; "
            "add it there, of type BYTES, with the shape and presence of 'text'"
        )
    if config.max_tokens < LEAST_PAIR_TOKENS:
        raise Refused(f"max_tokens is {config.max_tokens}; pairs of texts need at least {LEAST_PAIR_TOKENS}")
    segments = checkpoint.architecture.segments
    if segments == 1:
        raise Refused(
            f"checkpoint {config.checkpoint} has {segments} segment embedding (type_vocab_size); pairs of "
            "texts need 2, so give another checkpoint or leave examples.text_pair out"
        )
