"""The file of a Schema artifact."""

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.utils import io_utils

SCHEMA_FILE = "schema.pbtxt"  # the name that TFX's components look for


def read_schema_file(uri: str) -> schema_pb2.Schema:
    """Read the schema of a Schema artifact."""
    schema: schema_pb2.Schema = io_utils.SchemaReader().read(f"{uri}/{SCHEMA_FILE}")
    return schema
