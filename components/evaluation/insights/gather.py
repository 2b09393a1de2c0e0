"""Gathers `Insights` while the Evaluator runs: a branch of its Beam pipeline behind its models' predictions.

As a metric it would be gathered once more for each slice, and each sample of a confidence interval, to be thrown away:
TFMA measures every metric in every slice. A branch sees each example of the test split once, and no model runs twice.
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

from components.evaluation.insights.insights import write_insights
from components.evaluation.insights.tally import Example, InsightsTally, Scored
from components.registry import ModelRecord
from schema.features import ID, TEXT, TEXT_PAIR


@dataclass(frozen=True)
class _Task:
    """What is to be gathered.

    Attributes:
        folder: Where insights.json goes.
        labels: Those in use.
        candidate: How to read its scores.
        baseline: Likewise; None where there is none.
    """

    folder: str
    labels: tuple[str, ...]
    candidate: Scored
    baseline: Scored | None


# TFX calls for extractors while it builds the pipeline, and passes on nothing of ours.
_TASK: ContextVar[_Task] = ContextVar("insights")


@contextmanager
def gathering(
    folder: str, candidate: ModelRecord, baseline: ModelRecord | None, baseline_outputs: Sequence[str | None] = ()
) -> Iterator[None]:
    """While it lasts, pipelines that are built with `with_insights` gather insights.

    Args:
        folder: Where insights.json goes.
        candidate: Of its labels, those in use are looked at.
        baseline: None where there is none.
        baseline_outputs: Which of the candidate's labels each output of the baseline is, None where none.
    """
    labels = tuple(label for label in candidate.outputs if label is not None)
    task = _Task(
        folder,
        labels,
        _scored(labels, candidate.outputs, candidate.thresholds),
        None if baseline is None else _scored(labels, baseline_outputs, baseline.thresholds),
    )
    token = _TASK.set(task)
    try:
        yield
    finally:
        _TASK.reset(token)


def with_insights(extractors: Sequence[Any]) -> list[Any]:
    """TFMA's extractors, and behind its models' one that looks at the examples as they pass and leaves them alone.

    To be called while `gathering` lasts; the context outlives TFX's executing the module of extractors anew, as it does
    when it looks for it.
    """
    names = [each.stage_name for each in extractors]
    place = names.index(unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME) + 1
    ours = extractor.Extractor(stage_name="GatherInsights", ptransform=_Gather(_TASK.get()))
    return [*extractors[:place], ours, *extractors[place:]]


def _scored(labels: Sequence[str], outputs: Sequence[str | None], thresholds: Sequence[float]) -> Scored:
    place = {label: output for output, label in enumerate(outputs) if label is not None}
    return Scored(
        positions=tuple(place.get(label, -1) for label in labels),
        thresholds=tuple(thresholds[place[label]] if label in place else 1.0 for label in labels),
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
            | "Write" >> beam.Map(lambda insights, folder: write_insights(folder, insights), self._task.folder)
        )
        return extracts


class _ToExample:
    """Takes from TFMA's extracts of an example what the tally needs."""

    def __init__(self, task: _Task) -> None:
        self._columns = {label.encode(): column for column, label in enumerate(task.labels)}
        self._has_baseline = task.baseline is not None

    def __call__(self, extracts: Mapping[str, Any]) -> Example:
        features = extracts[tfma.FEATURES_KEY]
        predictions = extracts[tfma.PREDICTIONS_KEY]
        # TFMA leaves the feature out of a batch in which no example has a label.
        labels = _of(extracts.get(tfma.LABELS_KEY), tfma.CANDIDATE_KEY)
        words: Any = () if labels is None else np.ravel(labels)
        return Example(
            candidate=np.ravel(_of(predictions, tfma.CANDIDATE_KEY)),
            baseline=np.ravel(_of(predictions, tfma.BASELINE_KEY)) if self._has_baseline else None,
            columns=[self._columns[word] for word in words if word in self._columns],
            id=_text(features[ID]),
            text=_text(features[TEXT]),
            text_pair=_text(features[TEXT_PAIR]) if features.get(TEXT_PAIR) is not None else None,
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


def _of(value: Any, model: str) -> Any:
    """TFMA keys values by model name, but not if there is only one model, or if they are all the same."""
    return value[model] if isinstance(value, Mapping) else value


def _text(value: Any) -> str:
    """A feature's only string; empty where it has none."""
    values = np.ravel(value)
    return bytes(values[0]).decode("utf-8", "replace") if len(values) else ""
