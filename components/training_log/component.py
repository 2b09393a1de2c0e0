"""Notes, at the end of a run, what was trained on: for the next run's data gate, and its question what is new."""

from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ExampleStatistics, PushedModel, Schema

from components.example_gen.artifacts import Quarantine


@component  # type: ignore[untyped-decorator]
def TrainingRecord(  # noqa: N802 - a component class
    quarantine: InputArtifact[Quarantine],
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    pushed_model: InputArtifact[PushedModel],  # noqa: ARG001 - so that it comes when all is decided, pushed or not
    registry: Parameter[str],
) -> None:
    """Adds an entry to `components.training_log.log`; a run that fails before leaves none, and so is tried again."""
    from tfx.utils import io_utils

    from components.example_gen.report import IngestReport
    from components.schema_import.component import FILE_NAME
    from components.training_log import log as data_log
    from components.training_log.statistics import train_statistics
    from schema.label_list import label_list

    report = IngestReport.read(quarantine.uri)
    labels = label_list(io_utils.SchemaReader().read(f"{schema.uri}/{FILE_NAME}"))
    of_train = train_statistics(statistics, report).SerializeToString(deterministic=True)
    data_log.record(registry, report, labels.active, of_train)
