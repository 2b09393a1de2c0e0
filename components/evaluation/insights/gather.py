"""Gathers `Insights` while the Evaluator runs, in a branch of its Beam pipeline after the models' predictions.

As a TFMA metric, insights would be gathered once for each slice, only to be thrown away: TFMA computes every metric in
every slice. A branch processes each example of the test split once, and no model runs twice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import extractor, unbatch_extractor

from components.evaluation.insights.insights import Insights
from components.evaluation.insights.tally import Example, InsightsTally, ScoreReader
from components.evaluation.metrics.multi_label_metrics import unknown_labels
from components.registry import ModelRecord
from schema.features import ID, TEXT, TEXT_PAIR


@dataclass(frozen=True)
class _Task:
    """What to gather.

    Attributes:
        folder: Folder for insights.json.
        labels: Labels in use.
        candidate: Reader of the candidate's scores.
        baseline: Reader of the baseline's scores; None if there is no baseline.
    """

    folder: str
    labels: tuple[str, ...]
    candidate: ScoreReader
    baseline: ScoreReader | None


# TFX calls for extractors while it builds the pipeline, and passes none of our arguments to them.
_TASK: ContextVar[_Task] = ContextVar("insights")


@contextmanager
def gathering(
    folder: str, candidate: ModelRecord, baseline: ModelRecord | None, baseline_outputs: Sequence[str | None] = ()
) -> Iterator[None]:
    """Make `add_insights` gather insights, in pipelines that are built inside the context.

    Args:
        folder: Folder for insights.json.
        candidate: Record of the candidate, whose labels in use are considered.
        baseline: Record of the baseline; None if there is none.
        baseline_outputs: The candidate's label that each output of the baseline is; None if it is none of them.
    """
    labels = tuple(label for label in candidate.outputs if label is not None)
    task = _Task(
        folder,
        labels,
        _score_reader(labels, candidate.outputs, candidate.thresholds),
        None if baseline is None else _score_reader(labels, baseline_outputs, baseline.thresholds),
    )
    token = _TASK.set(task)
    try:
        yield
    finally:
        _TASK.reset(token)


def add_insights(extractors: Sequence[Any]) -> list[Any]:
    """Return TFMA's extractors with one that reads the examples after the models' predictions and leaves them alone.

    Must be called inside the context of `gathering`. TFX executes the module of extractors anew when it loads it, which
    a context variable survives.
    """
    stages = [each.stage_name for each in extractors]
    after = stages.index(unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME) + 1
    gather = extractor.Extractor(stage_name="GatherInsights", ptransform=_Gather(_TASK.get()))
    return [*extractors[:after], gather, *extractors[after:]]


def _score_reader(labels: Sequence[str], outputs: Sequence[str | None], thresholds: Sequence[float]) -> ScoreReader:
    index = {label: output for output, label in enumerate(outputs) if label is not None}
    return ScoreReader(
        output_indices=tuple(index.get(label, -1) for label in labels),
        thresholds=tuple(thresholds[index[label]] if label in index else 1.0 for label in labels),
    )


class _Gather(beam.PTransform):  # type: ignore[misc]
    def __init__(self, task: _Task) -> None:
        super().__init__()
        self._task = task

    def expand(self, extracts: Any) -> Any:
        _ = (
            extracts
            | "ToExample" >> beam.Map(_ToExample(self._task))
            | "Tally" >> beam.CombineGlobally(_Combine(self._task)).without_defaults()
            | "Write" >> beam.Map(Insights.write, self._task.folder)
        )
        return extracts


class _ToExample:
    """Selects what the tally needs from TFMA's extracts of an example."""

    def __init__(self, task: _Task) -> None:
        self._columns = {label.encode(): column for column, label in enumerate(task.labels)}
        self._has_baseline = task.baseline is not None

    def __call__(self, extracts: Mapping[str, Any]) -> Example:
        features = extracts[tfma.FEATURES_KEY]
        predictions = extracts[tfma.PREDICTIONS_KEY]
        # TFMA omits the feature from a batch in which no example has a label.
        labels = _select_model(extracts.get(tfma.LABELS_KEY), tfma.CANDIDATE_KEY)
        names: Any = () if labels is None else np.ravel(labels)
        return Example(
            candidate=np.ravel(_select_model(predictions, tfma.CANDIDATE_KEY)),
            baseline=np.ravel(_select_model(predictions, tfma.BASELINE_KEY)) if self._has_baseline else None,
            columns=[self._columns[name] for name in names if name in self._columns],
            id=_text(features[ID]),
            text=_text(features[TEXT]),
            text_pair=_text(features[TEXT_PAIR]) if features.get(TEXT_PAIR) is not None else None,
            unknown=[self._columns[name] for name in unknown_labels(extracts) if name in self._columns],
        )


class _Combine(beam.CombineFn):  # type: ignore[misc]
    def __init__(self, task: _Task) -> None:
        super().__init__()
        self._task = task

    def create_accumulator(self) -> InsightsTally:
        return InsightsTally(self._task.labels, self._task.candidate, self._task.baseline)

    def add_input(self, accumulator: InsightsTally, example: Example) -> InsightsTally:
        accumulator.add(example)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[InsightsTally]) -> InsightsTally:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def compact(self, accumulator: InsightsTally) -> InsightsTally:
        accumulator.compact()
        return accumulator

    def extract_output(self, accumulator: InsightsTally) -> Any:
        return accumulator.insights()


def _select_model(value: Any, model: str) -> Any:
    """Return a model's value: TFMA keys values by model, but not if there is one model or one value for all."""
    return value[model] if isinstance(value, Mapping) else value


def _text(value: Any) -> str:
    """Return a feature's only string; empty if it has none."""
    values = np.ravel(value)
    return bytes(values[0]).decode("utf-8", "replace") if len(values) else ""
