"""What a report is made of, read from a run's artifacts. Needs neither TensorFlow nor TFX for local paths."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from components.behaviour.results import Results
from components.common.secrets import without_secrets
from components.data_gate.distributions import Distributions
from components.evaluation.insights.insights import Insights
from components.example_gen.report import IngestReport
from components.registry import SERVING_FOLDER, ModelRecord
from components.report.summary import Provenance, Summary
from components.report.views.training import Training, read_training
from components.report.views.trend import PastResult
from components.suspects.suspects import Suspects
from components.trainer.tuning.trials import Trials, read_trials
from schema.errors import Refused


@dataclass(frozen=True)
class Material:
    """A run as the report shows it.

    Attributes:
        name: Name of the pipeline.
        when: Time of the run.
        summary: Summary of the run.
        texts: Whether the examples' texts are shown; otherwise only their ids.
        mistakes: Number of the most confident mistakes shown of each label and kind.
        slice_drop: How far a slice's micro F1 may be below that of all examples before it is named.
        configuration: Configuration as YAML, without secrets; empty if it is not known.
        chosen: The part of it that differs from the defaults; empty if that is not known.
        provenance: What started the run; None if it is not known.
        ingest: Report of the ingestion; None if the run ended before it, or if it was deleted.
        model: Record of the candidate; None as above.
        training: Losses and calibration; None as above.
        insights: Curves, confusions and mistakes; None as above.
        behaviour: Results of the behavioural tests; None as above, and for runs of versions without such tests.
        batches: Number of batches in an epoch; None if it is not known.
        past: Results of earlier runs, as far as they are known.
        distributions: Distributions of labels and text lengths; None as above.
        suspects: Likely label errors; None if nobody has searched for them.
        trials: Search for better hyperparameters; None if there was none.
    """

    name: str
    when: datetime
    summary: Summary
    texts: bool
    mistakes: int
    slice_drop: float = 0.1
    configuration: str = ""
    chosen: str = ""
    provenance: Provenance | None = None
    ingest: IngestReport | None = None
    model: ModelRecord | None = None
    training: Training | None = None
    insights: Insights | None = None
    behaviour: Results | None = None
    batches: int | None = None
    past: Sequence[PastResult] = ()
    distributions: Distributions | None = None
    suspects: Suspects | None = None
    trials: Trials | None = None


def gather_material(
    outputs: Mapping[str, str],
    summary: Summary,
    *,
    configuration: Mapping[str, Any],
    when: datetime,
    texts: bool,
    mistakes: int,
    past: Sequence[PastResult] = (),
    slice_drop: float = 0.1,
    chosen: Mapping[str, Any] | None = None,
    provenance: Provenance | None = None,
) -> Material:
    """Read what a run left, as far as it still exists.

    Args:
        outputs: URIs of the run's artifacts by output key: `quarantine`, `verdict` of the data gate, `model`,
            `model_run`, `evaluation`, `tuner_results`, `results` of the behavioural tests, and `suspects`, what
            LabelSuspects or the command `suspects` found. Any may be missing, and so may the files that it points to.
        summary: Summary of the run.
        configuration: Configuration of the run; empty if it is not known.
        when: Time of the run.
        texts: Whether to show the examples' texts.
        mistakes: Number of mistakes to show of each label and kind.
        past: Results of earlier runs.
        slice_drop: How far a slice's micro F1 may be below that of all examples before it is named.
        chosen: The part of the configuration that differs from the defaults; None if that is not known.
        provenance: What started the run; None if it is not known.
    """
    ingest = _ingest(outputs.get("quarantine"))
    return Material(
        name=configuration.get("name", "a pipeline"),
        when=when,
        summary=summary,
        texts=texts,
        mistakes=mistakes,
        slice_drop=slice_drop,
        configuration=_as_yaml(configuration),
        chosen=_as_yaml(_pick(configuration, chosen or {})),
        provenance=provenance,
        ingest=ingest,
        model=_model(outputs.get("model")),
        training=read_training(outputs["model_run"]) if "model_run" in outputs else None,
        insights=_insights(outputs.get("evaluation")),
        behaviour=_behaviour(outputs.get("results")),
        batches=_batches(ingest, configuration),
        past=past,
        distributions=_distributions(outputs.get("verdict")),
        suspects=_suspects(outputs.get("suspects")),
        trials=_trials(outputs.get("tuner_results")),
    )


def _as_yaml(configuration: Mapping[str, Any]) -> str:
    if not configuration:
        return ""
    return yaml.safe_dump(without_secrets(configuration), sort_keys=False, allow_unicode=True, width=100)


def _pick(whole: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a configuration that differ from the defaults.

    A section of another kind than the default, all of whose keys have the defaults of that kind, is empty in `chosen`.
    """
    picked: dict[str, Any] = {}
    for key, value in chosen.items():
        inner = whole.get(key)
        below = _pick(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else {}
        picked[key] = below or inner
    return picked


def _batches(ingest: IngestReport | None, configuration: Mapping[str, Any]) -> int | None:
    training = configuration.get("training")
    batch_size = training.get("batch_size") if isinstance(training, Mapping) else None
    if ingest is None or not isinstance(batch_size, int) or batch_size < 1:
        return None
    return math.ceil(ingest.splits["train"] / batch_size)


def _ingest(uri: str | None) -> IngestReport | None:
    try:
        return None if uri is None else IngestReport.read(uri)
    except FileNotFoundError:
        return None


def _insights(uri: str | None) -> Insights | None:
    """Return the insights of a run; None if there are none, or another version of this code wrote them."""
    try:
        return None if uri is None else Insights.read(uri)
    except (FileNotFoundError, Refused):
        return None


def _distributions(uri: str | None) -> Distributions | None:
    """Return the distributions of the data; None if there are none, as in runs of versions that did not write them."""
    try:
        return None if uri is None else Distributions.read(uri)
    except (FileNotFoundError, Refused):
        return None


def _behaviour(uri: str | None) -> Results | None:
    try:
        return None if uri is None else Results.read(uri)
    except FileNotFoundError:
        return None


def _suspects(folder: str | None) -> Suspects | None:
    try:
        return None if folder is None else Suspects.read(folder)
    except FileNotFoundError:
        return None


def _trials(uri: str | None) -> Trials | None:
    try:
        return None if uri is None else read_trials(uri)
    except (FileNotFoundError, Refused):
        return None


def _model(uri: str | None) -> ModelRecord | None:
    try:
        return None if uri is None else ModelRecord.read(f"{uri}/{SERVING_FOLDER}")
    except Refused:
        return None
