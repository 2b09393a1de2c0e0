"""All that a report is made of, read from a run's artifacts. Needs neither TensorFlow nor TFX for local paths."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from components.behaviour.results import Results, read_results
from components.evaluation.insights.insights import Insights, read_insights
from components.example_gen.report import IngestReport, read_report
from components.registry import ModelRecord, read_record
from components.report.settings import ReportSettings
from components.report.summary import Summary
from components.report.training import Training, read_training
from schema.errors import Refused

_SECRET = re.compile(r"(^|_)(url|webhook|token|secret|password|credentials?)$", re.IGNORECASE)
# Where a Model artifact of TFX keeps what is served.
_SERVING = "Format-Serving"


@dataclass(frozen=True)
class Material:
    """What is known of a run.

    Attributes:
        name: Of the pipeline.
        when: The time of the run.
        summary: What came of it.
        settings: What to show.
        configuration: As YAML; empty where it is not known.
        ingest: The rows; None where the run ended before they were read, or they are gone.
        model: The candidate's record, likewise.
        training: Likewise.
        insights: Likewise.
        behaviour: Likewise; None too where the run is of a version without behavioural tests.
        batches: Of an epoch; None where it is not known.
    """

    name: str
    when: datetime
    summary: Summary
    settings: ReportSettings
    configuration: str = ""
    ingest: IngestReport | None = None
    model: ModelRecord | None = None
    training: Training | None = None
    insights: Insights | None = None
    behaviour: Results | None = None
    batches: int | None = None


def gather_material(
    outputs: Mapping[str, str],
    summary: Summary,
    *,
    configuration: Mapping[str, Any],
    when: datetime,
    texts: bool | None = None,
) -> Material:
    """Reads what there is of it.

    Args:
        outputs: URIs of a run's artifacts by output key: `quarantine`, `model`, `model_run`, `evaluation`, `results`
            (of the behavioural tests). Any may be missing, and what it points to may be gone.
        summary: Of the run.
        configuration: Of the run, as JSON; empty where it is not known.
        when: The time of the run.
        texts: In place of the configuration's `report.texts`; None: as that says.
    """
    settings = ReportSettings.model_validate(configuration.get("report", {}))
    ingest = _ingest(outputs.get("quarantine"))
    return Material(
        name=configuration.get("name", "a pipeline"),
        when=when,
        summary=summary,
        settings=settings if texts is None else settings.model_copy(update={"texts": texts}),
        configuration=_as_yaml(configuration),
        ingest=ingest,
        model=_model(outputs.get("model")),
        training=read_training(outputs["model_run"]) if "model_run" in outputs else None,
        insights=read_insights(outputs["evaluation"]) if "evaluation" in outputs else None,
        behaviour=_behaviour(outputs.get("results")),
        batches=_batches(ingest, configuration),
    )


def _as_yaml(configuration: Mapping[str, Any]) -> str:
    if not configuration:
        return ""
    return yaml.safe_dump(_without_secrets(configuration), sort_keys=False, allow_unicode=True, width=100)


def _without_secrets(value: Any) -> Any:
    """A report is passed on: what opens a door stays behind, such as the address of a webhook."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: "(left out)" if isinstance(each, str) and _SECRET.search(key) else _without_secrets(each)
        for key, each in value.items()
    }


def _batches(ingest: IngestReport | None, configuration: Mapping[str, Any]) -> int | None:
    batch_size = configuration.get("training", {}).get("batch_size")
    if ingest is None or not batch_size:
        return None
    return math.ceil(ingest.splits["train"] / int(batch_size))


def _ingest(uri: str | None) -> IngestReport | None:
    try:
        return None if uri is None else read_report(uri)
    except FileNotFoundError:
        return None


def _behaviour(uri: str | None) -> Results | None:
    try:
        return None if uri is None else read_results(uri)
    except FileNotFoundError:
        return None


def _model(uri: str | None) -> ModelRecord | None:
    try:
        return None if uri is None else read_record(f"{uri}/{_SERVING}")
    except Refused:
        return None
