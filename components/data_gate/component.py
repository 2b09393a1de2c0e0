"""Stops the run, before a minute of training is spent, where the data is not what it should be.

TFX's ExampleValidator finds anomalies and lets the pipeline go on; this is what acts on them, and on what only the
ExampleGen's report or the data last trained on can tell.
"""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema

from components.example_gen.artifacts import Quarantine


class DataVerdict(Artifact):  # type: ignore[misc]
    """`verdict.json`, a `components.data_gate.verdict.Verdict`."""

    TYPE_NAME = "components.DataVerdict"


@component  # type: ignore[untyped-decorator]
def DataGate(  # noqa: N802 - a component class
    statistics: InputArtifact[ExampleStatistics],
    anomalies: InputArtifact[ExampleAnomalies],
    quarantine: InputArtifact[Quarantine],
    schema: InputArtifact[Schema],
    verdict: OutputArtifact[DataVerdict],
    settings: Parameter[str],
    registry: Parameter[str],
) -> None:
    """Raises Refused, in words, on data that may not be trained on.

    That is: a label that the schema does not know, any other anomaly that ExampleValidator found, too many quarantined
    or blank rows, a label that has vanished, or too much drift since the data last trained on.
    """
    from components.data_gate.judge import judge
    from components.data_gate.settings import DataGateSettings
    from components.data_gate.verdict import write_verdict

    found = judge(
        statistics=statistics,
        anomalies=anomalies,
        quarantine_uri=quarantine.uri,
        schema_uri=schema.uri,
        gate=DataGateSettings.model_validate_json(settings),
        registry=registry,
    )
    write_verdict(verdict.uri, found)
