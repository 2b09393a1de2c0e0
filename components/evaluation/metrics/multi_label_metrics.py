"""TFMA's side of the metrics: one `tfma.metrics.Metric` that reports every number of a multi-label evaluation.

The `EvalConfig` names it by class and module, as any TFMA metric; a worker needs this package installed, nothing else.
In each slice and for each model it reports, under the names that `catalogue.AVERAGES`, `name_of_array`,
`catalogue.label_key` and `compared_key` give:

- averages as scalars: `macro_f1`, ...
- every label's metrics as one array a metric, in the order of the labels: `f1_by_label`, ...; as scalars they would be
  millions of records with 500 labels in 501 slices
- the gated labels' metrics as scalars once more, for TFMA's thresholds to gate: `f1/refund`
- where the baseline has other labels, the averages that are gated against it once more, over the labels that both
  models have: `macro_f1/compared`
- `examples`, their number

What is gated comes with a confidence interval: see `components.evaluation.metrics.intervals`.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from components.evaluation.metrics.catalogue import AVERAGES, LABEL_METRICS, label_key
from components.evaluation.metrics.intervals import Intervals, replicates_key
from components.evaluation.metrics.tally import JACKKNIFE_BUCKETS, Tally, Wanted
from schema.features import TEXT

EXAMPLES = "examples"
SUPPORT = "support"

# Decision scores [n_labels], columns of the labels that the example has, its bucket of the jackknife.
_Row = tuple[Any, list[int], int]


def name_of_array(metric: str) -> str:
    """The name of the array that holds every label's `metric`."""
    return f"{metric}_by_label"


def compared_key(average: str) -> str:
    """The name of an average over the labels that candidate and baseline both have, where they are not all."""
    return f"{average}/compared"


class MultiLabelMetrics(tfma.metrics.Metric):  # type: ignore[misc]
    """The metrics of every label in use, and their averages.

    Args:
        labels: the labels, in the order of the model's outputs.
        gated: [metric, label] of what the gates need as scalars.
        intervals: names of the averages and of the labels' metrics that are to have confidence intervals.
        retired: those of the labels that are not in use any more: nothing is measured of them.
        thresholds: model name (`candidate`, `baseline`) -> the threshold of each of its outputs, from which its
            probabilities come of its decision scores; none: they are the same.
        baseline_outputs: which of the labels each output of the baseline is, null where none; none for the same as the
            candidate's. A label that the baseline lacks is NaN in its arrays, and left out of its averages.
        compared: the averages to report once more over the labels that both models have, where these are not all.
        length_slices: where the buckets of text lengths begin. Not the metric's, but `extractors.custom_extractors`',
            for which TFMA's configuration has no other place.
        name: TFMA's name for the metric; the reported names do not depend on it.
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
    """What is measured of one model.

    Attributes:
        model: its name, empty if it is the only one.
        labels: those in use, in the order of the arrays.
        outputs: which of them each output of the model is.
        thresholds: of each output; None: decision scores are probabilities.
        gated: metric and label of what the gates need as scalars.
        intervals: averages and labels' metrics that are to have confidence intervals.
        compared: averages wanted over the labels that both models have.
        shared: the columns of those labels, None for all.
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
    def positions(self) -> list[int]:
        """The output of each label, -1 where the model has none."""
        position = {label: output for output, label in enumerate(self.outputs)}
        return [position.get(label, -1) for label in self.labels]

    @property
    def wanted(self) -> Wanted:
        thresholds = None
        if self.thresholds is not None:
            thresholds = tuple(0.5 if at < 0 else self.thresholds[at] for at in self.positions)
        return Wanted(
            n_labels=len(self.labels),
            thresholds=thresholds,
            subsets=() if self.shared is None else (self.shared,),
            replicates=bool(self.intervals),
            areas=any(name.endswith("auc") for name in self.intervals),
            calibration=any(name.endswith("calibration_error") for name in self.intervals),
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
    of_baseline = candidate_outputs if baseline_outputs is None else baseline_outputs
    shared = tuple(column for column, label in enumerate(active) if label in of_baseline)
    tasks = [
        _Task(
            model=model,
            labels=active,
            outputs=tuple(of_baseline if model == tfma.BASELINE_KEY else candidate_outputs),
            thresholds=_thresholds_of(model, thresholds),
            gated=tuple((metric, label) for metric, label in gated),
            intervals=tuple(intervals or ()),
            compared=tuple(compared or ()) if len(shared) < len(active) else (),
            shared=shared if len(shared) < len(active) else None,
        )
        for model in model_names or [""]
    ]
    found = [_computation(task) for task in tasks]
    if intervals:
        # After TFMA has taken the differences of the two models' numbers, which it does not of what has an interval.
        found.append(metric_types.CIDerivedMetricComputation(keys=[], result=Intervals()))
    return found


def _thresholds_of(model: str, thresholds: dict[str, list[float]] | None) -> tuple[float, ...] | None:
    found = (thresholds or {}).get(model or tfma.CANDIDATE_KEY)
    return None if found is None else tuple(found)


def _computation(task: _Task) -> Any:
    names = [*AVERAGES, EXAMPLES]
    names += [name_of_array(metric) for metric in (*LABEL_METRICS, SUPPORT)]
    names += [label_key(metric, label) for metric, label in task.gated]
    names += [compared_key(average) for average in task.compared]
    names += [replicates_key(name) for name in _with_intervals(task)]
    return tfma.metrics.MetricComputation(
        keys=[_key(each, task.model) for each in names], preprocessors=[_ToRow(task)], combiner=_Combiner(task)
    )


def _with_intervals(task: _Task) -> list[str]:
    """The names of what has an interval."""
    averages = [name for name in task.intervals if name in AVERAGES]
    arrays = [name_of_array(name) for name in task.intervals if name not in AVERAGES]
    scalars = [label_key(metric, label) for metric, label in task.gated]
    return [*averages, *arrays, *scalars, *(compared_key(average) for average in task.compared)]


def _key(name: str, model: str) -> Any:
    # Not `False`: TFMA looks for the thresholds of a MetricsSpec under "neither weighted nor unweighted".
    return tfma.metrics.MetricKey(name=name, model_name=model, example_weighted=None)


class _ToRow(tfma.metrics.Preprocessor):  # type: ignore[misc]
    """Takes from an example what the combiner needs: one model's scores of the labels, and which labels are right."""

    def __init__(self, task: _Task) -> None:
        super().__init__(name=f"multi_label_row/{task.model}")
        self._columns = {label.encode(): column for column, label in enumerate(task.labels)}
        self._model = task.model
        self._n_outputs = len(task.outputs)
        # None, as nearly always, where the outputs are the labels already.
        self._positions = None if task.outputs == task.labels else np.array(task.positions)
        self._buckets = bool(task.intervals)

    def process(self, extracts: Mapping[str, Any]) -> Iterator[_Row]:
        """Yields the row of one example.

        Raises:
            ValueError: the model has another number of labels.
        """
        scores = np.ravel(self._of_model(extracts[tfma.PREDICTIONS_KEY]))
        # TFMA leaves the feature out of a batch in which no example has a label.
        labels = self._of_model(extracts.get(tfma.LABELS_KEY))
        if len(scores) != self._n_outputs:
            raise ValueError(f"the model has {len(scores)} outputs for {self._n_outputs} labels")
        if self._positions is not None:
            scores = np.where(self._positions < 0, np.float32(np.nan), scores[self._positions])
        words: Any = () if labels is None else np.ravel(labels)
        # A label that is not measured has no column: a retired one, for the ExampleValidator has seen unknown ones.
        columns = [self._columns[label] for label in words if label in self._columns]
        yield scores, columns, _bucket(extracts) if self._buckets else 0

    def _of_model(self, value: Any) -> Any:
        """TFMA keys values by model name, but not if there is only one model, or if they are all the same."""
        return value[self._model] if isinstance(value, Mapping) else value


def _bucket(extracts: Mapping[str, Any]) -> int:
    """The same for both models and in every run; copies of a text, which say the same twice, are in one."""
    (text,) = np.ravel(extracts[tfma.FEATURES_KEY][TEXT])
    return zlib.crc32(text) % JACKKNIFE_BUCKETS


class _Combiner(beam.CombineFn):  # type: ignore[misc]
    """Rows to a `Tally` to metrics."""

    def __init__(self, task: _Task) -> None:
        super().__init__()
        self._task = task
        self._wanted = task.wanted

    def create_accumulator(self) -> Tally:
        return Tally(self._wanted)

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
        by_label = accumulator.labels()
        averages = [accumulator.averages(by_label, subset) for subset in range(len(self._wanted.columns))]
        values = self._named(asdict(by_label), [asdict(each) for each in averages])
        values[EXAMPLES] = accumulator.examples
        if self._task.intervals:
            labels, without = accumulator.replicates()
            replicates = self._named(asdict(labels), [asdict(each) for each in without])
            values |= {replicates_key(name): replicates[name] for name in _with_intervals(self._task)}
        return {_key(name, self._task.model): value for name, value in values.items()}

    def _named(self, arrays: Mapping[str, Any], averages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The numbers under their names; the last axis of arrays is that of the labels.

        Args:
            arrays: of the labels.
            averages: over all labels, and over those that both models have if they are not all.
        """
        task = self._task
        # A baseline has no others to average over.
        values = dict(averages[-1 if task.model == tfma.BASELINE_KEY else 0])
        values |= {name_of_array(metric): array for metric, array in arrays.items()}
        values |= {
            label_key(metric, label): arrays[metric][..., task.labels.index(label)] for metric, label in task.gated
        }
        values |= {compared_key(average): averages[-1][average] for average in task.compared}
        return {name: float(value) if np.ndim(value) == 0 else value for name, value in values.items()}
