"""The schema as the single source of truth for the label list."""

from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.features import LABELS, TEXT


def read_schema(path: str) -> schema_pb2.Schema:
    """Reads a TF-Metadata schema in text format and checks what this project relies on.

    Raises:
        Refused: There is no such file, it is no schema, or it does not describe text and labels as this project needs.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Refused(
            f"{path}: no such schema; `bert-multilabel init --data FILE --output DIR` infers one, "
            "schema_file names it in the configuration"
        ) from None
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise Refused(f"{path}: not a TF-Metadata schema in text format: {error}") from None
    try:
        label_list(schema)
        _check_text(schema)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    return schema


def label_list(schema: schema_pb2.Schema) -> tuple[str, ...]:
    """The closed string domain of the labels feature, in its order: position in it is position in every vector.

    Raises:
        ValueError: The schema has no such feature or domain, or the domain repeats a label.
    """
    labels = _feature(schema, LABELS)
    domains = {domain.name: domain for domain in schema.string_domain}
    domain = domains.get(labels.domain) if labels.HasField("domain") else labels.string_domain
    if domain is None or not domain.value:
        raise ValueError(f"feature '{LABELS}' has no string domain; list the labels there")
    values = tuple(domain.value)
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"label '{repeated[0]}' stands twice in the domain of '{LABELS}'; remove one")
    return values


def _check_text(schema: schema_pb2.Schema) -> None:
    # A dense serving signature needs a dense feature: exactly one string a row.
    shape = [dimension.size for dimension in _feature(schema, TEXT).shape.dim]
    if shape != [1]:
        raise ValueError(f"feature '{TEXT}' must have `shape {{ dim {{ size: 1 }} }}`, exactly one string")


def _feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    for feature in schema.feature:
        if feature.name == name:
            return feature
    known = ", ".join(feature.name for feature in schema.feature) or "none"
    raise ValueError(f"no feature '{name}' (it has: {known})")
