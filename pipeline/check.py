"""What can be refused before TensorFlow is even imported."""

from components.evaluation.gates import check_gates, parse_gate
from components.example_gen.inputs import check_inputs
from components.trainer.checkpoint import find_checkpoint
from pipeline.config import Configuration
from schema.errors import Refused
from schema.label_list import label_list, read_schema


def check_configuration(config: Configuration) -> None:
    """Checks that files, columns, schema, checkpoint and gates fit each other; takes well under a second.

    Raises:
        Refused: Something does not fit; the message says what to do.
    """
    check_inputs(config.examples)
    schema = read_schema(config.schema_file)
    check_gates([parse_gate(gate) for gate in config.evaluation.gates], label_list(schema))
    _check_slices(config, {feature.name for feature in schema.feature})
    checkpoint = find_checkpoint(config.checkpoint)
    if config.max_tokens > checkpoint.max_positions:
        raise Refused(
            f"max_tokens is {config.max_tokens}, but checkpoint {config.checkpoint} has {checkpoint.max_positions} "
            "positions; lower max_tokens"
        )


def _check_slices(config: Configuration, in_schema: set[str]) -> None:
    for name in config.examples.slices:
        if name not in in_schema:
            raise Refused(f"{config.schema_file}: no feature '{name}', which examples.slices names; add it there")
    for name in config.evaluation.slices:
        if name not in config.examples.slices:
            known = ", ".join(config.examples.slices) or "none"
            raise Refused(
                f"evaluation.slices names '{name}', which examples.slices does not carry along (it has: {known})"
            )
