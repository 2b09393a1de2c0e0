"""The import of the curated schema as a TFX component."""

from typing import ClassVar

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import SCHEMA_KEY

from components.schema_import.executor import TEXT_KEY, Executor
from schema.infer import schema_text


class SchemaImportSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `SchemaImport`."""

    PARAMETERS: ClassVar = {TEXT_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema)}


class SchemaImport(base_component.BaseComponent):  # type: ignore[misc]
    """Makes the curated schema an artifact.

    TFX's ImportSchemaGen keys its cache by the file's path, so it would miss an edit of the schema, and it reads the
    file where the step runs. Here the schema itself is the parameter: an edit causes a new execution, and a remote step
    needs no file.

    Args:
        schema: The schema.

    Outputs:
        schema: `Schema`, the schema as text.
    """

    SPEC_CLASS = SchemaImportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, schema: schema_pb2.Schema) -> None:
        output = types.Channel(type=standard_artifacts.Schema)
        super().__init__(spec=SchemaImportSpec(text=schema_text(schema), schema=output))
