"""The last step: gathers what the others found into one summary."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, ModelEvaluation, ModelRun, PushedModel

from components.behaviour.artifacts import BehaviourResults
from components.data_gate.component import DataVerdict
from components.example_gen.artifacts import Quarantine


class RunReport(Artifact):  # type: ignore[misc]
    """`summary.json`, a `components.report.summary.Summary`; report.html and model_card.md, made of it."""

    TYPE_NAME = "components.RunReport"


@component  # type: ignore[untyped-decorator]
def Report(  # noqa: N802 - a component class
    report: OutputArtifact[RunReport],
    quarantine: InputArtifact[Quarantine],
    data_verdict: InputArtifact[DataVerdict],
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    baseline: InputArtifact[Model],
    evaluation: InputArtifact[ModelEvaluation],
    behaviour: InputArtifact[BehaviourResults],
    blessing: InputArtifact[ModelBlessing],
    canary: InputArtifact[InfraBlessing],
    pushed_model: InputArtifact[PushedModel],
    configuration: Parameter[str],
) -> None:
    """Writes the summary of a run that came to its end, and what shows it to a person.

    `blessing` is what `Blessing` gave, `configuration` all of it as JSON.
    """
    import json
    from datetime import UTC, datetime

    from components.report.card import write_card
    from components.report.gather import gather_summary
    from components.report.page import write_page
    from components.report.settings import ReportSettings
    from components.report.views.material import gather_material

    summary = gather_summary(
        quarantine_uri=quarantine.uri,
        data_verdict_uri=data_verdict.uri,
        model_uri=model.uri,
        baseline_uri=baseline.uri,
        evaluation_uri=evaluation.uri,
        blessing_uri=blessing.uri,
        canary_uri=canary.uri,
        pushed_uri=pushed_model.uri,
    )
    summary.write(report.uri)
    chosen = json.loads(configuration)
    settings = ReportSettings.model_validate(chosen.get("report", {}))
    material = gather_material(
        {
            "quarantine": quarantine.uri,
            "model": model.uri,
            "model_run": model_run.uri,
            "evaluation": evaluation.uri,
            "results": behaviour.uri,
        },
        summary,
        configuration=chosen,
        when=datetime.now(UTC),
        texts=settings.texts,
        mistakes=settings.mistakes,
    )
    write_page(report.uri, material)
    write_card(report.uri, material)
