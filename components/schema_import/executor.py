"""Executor of `SchemaImport`."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import SCHEMA_KEY

from components.common.files import make_folder, write_whole
from components.schema_import.schema_file import SCHEMA_FILE

TEXT_KEY = "text"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Writer of the schema's text as a Schema artifact."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],  # noqa: ARG002 - TFX's interface
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        uri = artifact_utils.get_single_uri(output_dict[SCHEMA_KEY])
        make_folder(uri)
        write_whole(f"{uri}/{SCHEMA_FILE}", exec_properties[TEXT_KEY].encode())
