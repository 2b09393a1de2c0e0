"""The `tfma.metrics.Metric` that reports all metrics of a multi-label evaluation.

The EvalConfig names it by class and module, like any TFMA metric; a worker needs this package installed, nothing else.
In each slice and for each model it reports:

- each average as a scalar: `macro_f1`, ...
- each metric of single labels as one array, in the order of the labels: `f1_by_label`, ...; as scalars these would be
  millions of records with 500 labels in 501 slices
- the metrics of gated labels as scalars as well, for TFMA's thresholds: `f1/refund`
- where the baseline has other labels, the averages that are gated against it once more, over the labels that both
  models have: `macro_f1/compared`
- `examples`, the number of examples

Gated metrics have a confidence interval: see `components.evaluation.metrics.intervals`.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from components.evaluation.metrics.catalogue import average_names, find_metric, label_key, label_metric_names
from components.evaluation.metrics.intervals import Intervals, replicates_key
from components.evaluation.metrics.scores import SUPPORT, UNKNOWN, Scores
from components.evaluation.metrics.tally import JACKKNIFE_GROUPS, Tally, TallySpec
from schema.features import TEXT, UNKNOWN_LABELS

EXAMPLES = "examples"

# Decision scores [n_labels], columns of the labels that the example has, its jackknife group, columns of the labels of
# which nobody knows whether it has them.
_Row = tuple[Any, list[int], int, list[int]]


def array_key(metric: str) -> str:
    """Return the name of the array that has the values of a metric for all labels."""
    return f"{metric}_by_label"


def compared_key(average: str) -> str:
    """Return the name of an average over the labels that candidate and baseline both have, where these are not all."""
    return f"{average}/compared"


class MultiLabelMetrics(tfma.metrics.Metric):  # type: ignore[misc]
    """Metrics of every label in use, and their averages.

    Args:
        labels: Labels in the order of the candidate's outputs.
        gated: [metric, label] pairs that gates need as scalars.
        intervals: Averages and metrics of single labels to compute confidence intervals for.
        retired: Labels that are no longer in use; they are not measured.
        thresholds: Model (`candidate`, `baseline`) -> threshold of each of its outputs, from which probabilities are
            derived from decision scores; None if both are the same.
        baseline_outputs: The label of each output of the baseline, None for an output that is none of the labels; None
            if the outputs are the candidate's. A label that the baseline lacks is NaN in its arrays, and left out of
            its averages.
        compared: Averages to report once more over the labels that both models have, where these are not all.
        length_slices: Ignored here. `extractors.bucketing_extractor` reads it from the metric's configuration, because
            TFMA's EvalConfig has no other field for it.
        name: TFMA's name for the metric; the names of the reported values do not depend on it.
    """

    def __init__(
        self,
        labels: list[str],
        gated: list[list[str]],
        intervals: list[str] | None = None,
        retired: list[str] | None = None,
        thresholds: dict[str, list[float]] | None = None,
        baseline_outputs: list[str | None] | None = None,
        compared: list[str] | None = None,
        length_slices: list[int] | None = None,
        name: str = "multi_label",
    ) -> None:
        del length_slices
        super().__init__(
            _computations,
            labels=labels,
            gated=gated,
            intervals=intervals,
            retired=retired,
            thresholds=thresholds,
            baseline_outputs=baseline_outputs,
            compared=compared,
            name=name,
        )


@dataclass(frozen=True)
class _Task:
    """Measurements of one model.

    Attributes:
        model: Name of the model; empty if it is the only one.
        labels: Labels in use, in the order of the arrays.
        outputs: The label of each output of the model.
        thresholds: Threshold of each output; None if decision scores are probabilities.
        gated: Metrics and labels that gates need as scalars.
        intervals: Averages and metrics of single labels to compute confidence intervals for.
        compared: Averages to compute over the labels that both models have.
        shared: Columns of those labels; None for all.
    """

    model: str
    labels: tuple[str, ...]
    outputs: tuple[str | None, ...]
    thresholds: tuple[float, ...] | None
    gated: tuple[tuple[str, str], ...]
    intervals: tuple[str, ...]
    compared: tuple[str, ...]
    shared: tuple[int, ...] | None

    @property
    def output_indices(self) -> list[int]:
        """Index of each label's output; -1 where the model has none."""
        index = {label: output for output, label in enumerate(self.outputs)}
        return [index.get(label, -1) for label in self.labels]

    @property
    def interval_names(self) -> list[str]:
        """Names of the reported values that have an interval."""
        averages = [name for name in self.intervals if name in average_names()]
        arrays = [array_key(name) for name in self.intervals if name not in average_names()]
        scalars = [label_key(metric, label) for metric, label in self.gated]
        return [*averages, *arrays, *scalars, *(compared_key(average) for average in self.compared)]

    @property
    def tally_spec(self) -> TallySpec:
        """What the tally of the model computes."""
        thresholds = None
        if self.thresholds is not None:
            # A label that the model lacks has no scores: any threshold will do.
            thresholds = tuple(0.5 if index < 0 else self.thresholds[index] for index in self.output_indices)
        evidence = {find_metric(name).evidence for name in self.intervals}
        return TallySpec(
            n_labels=len(self.labels),
            thresholds=thresholds,
            subsets=() if self.shared is None else (self.shared,),
            replicates=bool(self.intervals),
            areas="areas" in evidence,
            calibration="calibration" in evidence,
        )


def _computations(
    labels: list[str],
    gated: list[list[str]],
    intervals: list[str] | None,
    retired: list[str] | None,
    thresholds: dict[str, list[float]] | None,
    baseline_outputs: list[str | None] | None,
    compared: list[str] | None,
    name: str,
    model_names: list[str] | None = None,
) -> list[Any]:
    del name
    candidate_outputs = [None if label in (retired or ()) else label for label in labels]
    active = tuple(label for label in candidate_outputs if label is not None)
    if baseline_outputs is None:
        baseline_outputs = candidate_outputs
    shared = tuple(column for column, label in enumerate(active) if label in baseline_outputs)
    tasks = [
        _Task(
            model=model,
            labels=active,
            outputs=tuple(baseline_outputs if model == tfma.BASELINE_KEY else candidate_outputs),
            thresholds=_model_thresholds(model, thresholds),
            gated=tuple((metric, label) for metric, label in gated),
            intervals=tuple(intervals or ()),
            compared=tuple(compared or ()) if len(shared) < len(active) else (),
            shared=shared if len(shared) < len(active) else None,
        )
        for model in model_names or [""]
    ]
    computations = [_computation(task) for task in tasks]
    if intervals:
        # TFMA computes this after the changes between the models, which it does not compute for values with intervals.
        computations.append(metric_types.CIDerivedMetricComputation(keys=[], result=Intervals()))
    return computations


def _model_thresholds(model: str, thresholds: dict[str, list[float]] | None) -> tuple[float, ...] | None:
    values = (thresholds or {}).get(model or tfma.CANDIDATE_KEY)
    return None if values is None else tuple(values)


def _computation(task: _Task) -> Any:
    names = [*average_names(), EXAMPLES]
    names += [array_key(metric) for metric in (*label_metric_names(), SUPPORT, UNKNOWN)]
    names += [label_key(metric, label) for metric, label in task.gated]
    names += [compared_key(average) for average in task.compared]
    names += [replicates_key(name) for name in task.interval_names]
    return tfma.metrics.MetricComputation(
        keys=[_key(each, task.model) for each in names], preprocessors=[_ToRow(task)], combiner=_Combiner(task)
    )


def _key(name: str, model: str) -> Any:
    # Not `False`: TFMA looks for the thresholds of a MetricsSpec under "neither weighted nor unweighted".
    return tfma.metrics.MetricKey(name=name, model_name=model, example_weighted=None)


class _ToRow(tfma.metrics.Preprocessor):  # type: ignore[misc]
    """Preprocessor that selects one model's scores of the labels, and the labels that the example has."""

    def __init__(self, task: _Task) -> None:
        super().__init__(name=f"multi_label_row/{task.model}")
        self._columns = {label.encode(): column for column, label in enumerate(task.labels)}
        self._model = task.model
        self._n_outputs = len(task.outputs)
        # None, as nearly always, where the outputs are the labels already.
        self._output_indices = None if task.outputs == task.labels else np.array(task.output_indices)
        self._with_group = bool(task.intervals)

    def process(self, extracts: Mapping[str, Any]) -> Iterator[_Row]:
        """Yield the row of one example.

        Raises:
            ValueError: The number of the model's outputs is not the number expected.
        """
        scores = np.ravel(self._select_model(extracts[tfma.PREDICTIONS_KEY]))
        # TFMA omits the feature from a batch in which no example has a label.
        labels = self._select_model(extracts.get(tfma.LABELS_KEY))
        if len(scores) != self._n_outputs:
            raise ValueError(f"the model has {len(scores)} outputs for {self._n_outputs} labels")
        if self._output_indices is not None:
            scores = np.where(self._output_indices < 0, np.float32(np.nan), scores[self._output_indices])
        names: Any = () if labels is None else np.ravel(labels)
        # A label without a column is retired: the data gate has refused unknown ones.
        columns = [self._columns[label] for label in names if label in self._columns]
        unknown = unknown_labels(extracts)
        silent = [self._columns[label] for label in unknown if label in self._columns]
        yield scores, columns, _jackknife_group(extracts) if self._with_group else 0, silent

    def _select_model(self, value: Any) -> Any:
        """Return the model's own value: TFMA keys values by model, but not if there is one model or one value."""
        return value[self._model] if isinstance(value, Mapping) else value


def unknown_labels(extracts: Mapping[str, Any]) -> Any:
    """Return the labels, as bytes, of which nobody knows whether an example has them; most examples have none."""
    labels = extracts[tfma.FEATURES_KEY].get(UNKNOWN_LABELS)
    return () if labels is None else np.ravel(labels)


def _jackknife_group(extracts: Mapping[str, Any]) -> int:
    """Return the jackknife group of an example: the same for both models, in every run, and for copies of a text."""
    (text,) = np.ravel(extracts[tfma.FEATURES_KEY][TEXT])
    return zlib.crc32(text) % JACKKNIFE_GROUPS


class _Combiner(beam.CombineFn):  # type: ignore[misc]
    """Combiner that tallies rows and computes the metrics."""

    def __init__(self, task: _Task) -> None:
        super().__init__()
        self._task = task
        self._spec = task.tally_spec

    def create_accumulator(self) -> Tally:
        return Tally(self._spec)

    def add_input(self, accumulator: Tally, row: _Row) -> Tally:
        accumulator.add(*row)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def compact(self, accumulator: Tally) -> Tally:
        accumulator.compact()
        return accumulator

    def extract_output(self, accumulator: Tally) -> dict[Any, Any]:
        labels = accumulator.labels()
        averages = [accumulator.averages(labels, subset) for subset in range(len(self._spec.columns))]
        values = self._name_values(labels, averages)
        values[EXAMPLES] = accumulator.examples
        if self._task.intervals:
            replicates = self._name_values(*accumulator.replicates())
            values |= {replicates_key(name): replicates[name] for name in self._task.interval_names}
        return {_key(name, self._task.model): value for name, value in values.items()}

    def _name_values(self, labels: Scores, averages: Sequence[Scores]) -> dict[str, Any]:
        """Return all values by the names that they are reported under.

        Args:
            labels: Metrics of the labels, which are the last axis.
            averages: Averages over all labels, and over those that both models have if these are not all.
        """
        task = self._task
        # A baseline has values for the shared labels alone.
        values: dict[str, Any] = dict(averages[-1 if task.model == tfma.BASELINE_KEY else 0])
        values |= {array_key(metric): array for metric, array in labels.items()}
        values |= {
            label_key(metric, label): labels[metric][..., task.labels.index(label)] for metric, label in task.gated
        }
        values |= {compared_key(average): averages[-1][average] for average in task.compared}
        return {name: float(value) if np.ndim(value) == 0 else value for name, value in values.items()}
