"""Rows in Avro, as BigQuery writes them in its exports and in the streams of its Storage Read API."""

import io
from typing import Any

import fastavro

Json = dict[str, Any]
# https://cloud.google.com/bigquery/docs/exporting-data#avro_export_details, with logical types.
_TYPES: dict[str, Any] = {
    "STRING": "string",
    "BYTES": "bytes",
    "INTEGER": "long",
    "FLOAT": "double",
    "BOOLEAN": "boolean",
    "NUMERIC": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9},
    "TIMESTAMP": {"type": "long", "logicalType": "timestamp-micros"},
    "DATE": {"type": "int", "logicalType": "date"},
    "TIME": {"type": "long", "logicalType": "time-micros"},
    "DATETIME": {"type": "string", "sqlType": "DATETIME"},
}


def schema_of(fields: list[Json], name: str = "Root") -> Json:
    """Return the Avro schema of a table with these fields."""
    return {"type": "record", "name": name, "fields": [_field(entry) for entry in fields]}


def write_file(fields: list[Json], rows: list[Json]) -> bytes:
    """Return an Avro file, as an export writes it."""
    stream = io.BytesIO()
    fastavro.writer(stream, schema_of(fields), rows)
    return stream.getvalue()


def write_rows(fields: list[Json], rows: list[Json]) -> bytes:
    """Return rows in sequence without a header, as a stream contains them."""
    stream = io.BytesIO()
    schema = fastavro.parse_schema(schema_of(fields))
    for row in rows:
        fastavro.schemaless_writer(stream, schema, row)
    return stream.getvalue()


def _field(entry: Json) -> Json:
    avro_type = _TYPES.get(entry["type"]) or schema_of(entry["fields"], f"Root_{entry['name']}")
    match entry.get("mode", "NULLABLE"):
        case "REPEATED":
            avro_type = {"type": "array", "items": avro_type}
        case "NULLABLE":
            avro_type = ["null", avro_type]
    return {"name": entry["name"], "type": avro_type}
