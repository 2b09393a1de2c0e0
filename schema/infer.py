"""How a schema for new data begins: what was seen in the data, ready to be curated."""

from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.features import ID, LABELS, TEXT, TEXT_PAIR


def infer_schema(labels: Sequence[str], slices: Sequence[str], *, pair: bool = False) -> schema_pb2.Schema:
    """A schema in the form that `schema.label_list` reads.

    TFDV's own inference would describe what it saw; here the shape of a row is known, and only the label list and the
    slice columns differ from one data set to another.

    Args:
        labels: The label list, in the order that every multi-hot vector will have.
        slices: Names of the string columns carried along for evaluation slices.
        pair: Whether every row has a second text.
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
    """The schema as the text file that `schema.label_list.read_schema` reads."""
    return str(text_format.MessageToString(schema, as_utf8=True))
