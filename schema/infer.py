"""Initial schemas for new data, for a person to curate."""

from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.features import ID, LABELS, TEXT, TEXT_PAIR


def infer_schema(labels: Sequence[str], slices: Sequence[str], *, pair: bool = False) -> schema_pb2.Schema:
    """Return a schema that `schema.label_list` can read.

    TFDV's own inference describes what it finds. Here the form of a row is known, and data sets differ only in their
    labels and slice columns.

    Args:
        labels: The label list, in the order of every multi-hot vector.
        slices: Names of the string columns that are kept for evaluation slices.
        pair: Whether every row has a second text.

    Example:
        >>> schema = infer_schema(["billing", "refund"], ["channel"])
        >>> [feature.name for feature in schema.feature]
        ['id', 'text', 'channel', 'labels']
    """
    schema = schema_pb2.Schema()
    for name in (ID, TEXT, *([TEXT_PAIR] if pair else []), *slices):
        feature = schema.feature.add(name=name, type=schema_pb2.BYTES)
        feature.presence.min_fraction = 1.0
        feature.presence.min_count = 1
        feature.shape.dim.add(size=1)
    feature = schema.feature.add(name=LABELS, type=schema_pb2.BYTES, domain=LABELS)
    feature.value_count.min = 0
    schema.string_domain.add(name=LABELS, value=labels)
    return schema


def schema_text(schema: schema_pb2.Schema) -> str:
    """Return a schema in the text format that `schema.label_list.read_schema` reads."""
    return str(text_format.MessageToString(schema, as_utf8=True))
