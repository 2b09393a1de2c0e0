"""The curated schema becomes an artifact.

TFX's ImportSchemaGen keys its cache by the file's path, so an edited schema would go unnoticed, and it reads the file
where the step runs. Here the schema itself is the parameter: an edit is a new execution, and a remote step needs no
file.
"""

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema

FILE_NAME = "schema.pbtxt"  # what every TFX component looks for


@component  # type: ignore[untyped-decorator]
def SchemaImport(schema: OutputArtifact[Schema], text: Parameter[str]) -> None:  # noqa: N802 - a component class
    """Writes `text`, a TF-Metadata schema in text format, as a Schema artifact."""
    from components.common.files import make_folder, write_whole

    make_folder(schema.uri)
    write_whole(f"{schema.uri}/{FILE_NAME}", text.encode())
