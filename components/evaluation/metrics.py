"""TFMA's side of the metrics: one `tfma.metrics.Metric` that reports every number of a multi-label evaluation.

The `EvalConfig` names it by class and module, as any TFMA metric; a worker needs this package installed, nothing else.
In each slice and for each model it reports, under the names that `gates.AVERAGES`, `name_of_array`, `gates.label_key`
and `compared_key` give:

- averages as scalars: `macro_f1`, ...
- every label's metrics as one array a metric, in the order of the labels: `f1_by_label`, ...; as scalars they would be
  millions of records with 500 labels in 501 slices
- the gated labels' metrics as scalars once more, for TFMA's thresholds to gate: `f1/refund`
- where the baseline has other labels, the averages that are gated against it once more, over the labels that both
  models have: `macro_f1/compared`
- `examples`, their number
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluation.gates import AVERAGES, LABEL_METRICS, label_key
from components.evaluation.tally import Tally

EXAMPLES = "examples"
SUPPORT = "support"

_Row = tuple[Any, list[int]]  # decision scores [n_labels], columns of the labels that the example has


def name_of_array(metric: str) -> str:
    """The name of the array that holds every label's `metric`."""
    return f"{metric}_by_label"


def compared_key(average: str) -> str:
    """The name of an average over the labels that candidate and baseline both have, where they are not all."""
    return f"{average}/compared"


class MultiLabelMetrics(tfma.metrics.Metric):  # type: ignore[misc]
    """Precision, recall, F1, ROC AUC, PR AUC and support of every label in use, and their averages.

    Args:
        labels: the labels, in the order of the model's outputs.
        gated: [metric, label] of what the gates need as scalars.
        retired: those of the labels that are not in use any more: nothing is measured of them.
        baseline_outputs: which of the labels each output of the baseline is, null where none; none for the same as the
            candidate's. A label that the baseline lacks is NaN in its arrays, and left out of its averages.
        compared: the averages to report once more over the labels that both models have.
        name: TFMA's name for the metric; the reported names do not depend on it.
    """

    def __init__(
        self,
        labels: list[str],
        gated: list[list[str]],
        retired: list[str] | None = None,
        baseline_outputs: list[str | None] | None = None,
        compared: list[str] | None = None,
        name: str = "multi_label",
    ) -> None:
        super().__init__(
            _computations,
            labels=labels,
            gated=gated,
            retired=retired,
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
        gated: metric and label of what the gates need as scalars.
        compared: averages wanted over the labels that both models have.
        shared: the columns of those labels, None for all.
    """

    model: str
    labels: tuple[str, ...]
    outputs: tuple[str | None, ...]
    gated: tuple[tuple[str, str], ...]
    compared: tuple[str, ...]
    shared: tuple[int, ...] | None


def _computations(
    labels: list[str],
    gated: list[list[str]],
    retired: list[str] | None,
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
    return [
        _computation(
            _Task(
                model=model,
                labels=active,
                outputs=tuple(of_baseline if model == tfma.BASELINE_KEY else candidate_outputs),
                gated=tuple((metric, label) for metric, label in gated),
                compared=tuple(compared or ()),
                shared=None if len(shared) == len(active) else shared,
            )
        )
        for model in model_names or [""]
    ]


def _computation(task: _Task) -> Any:
    names = [*AVERAGES, EXAMPLES]
    names += [name_of_array(metric) for metric in (*LABEL_METRICS, SUPPORT)]
    names += [label_key(metric, label) for metric, label in task.gated]
    names += [compared_key(average) for average in task.compared]
    return tfma.metrics.MetricComputation(
        keys=[_key(each, task.model) for each in names], preprocessors=[_ToRow(task)], combiner=_Combiner(task)
    )


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
        self._positions: Any = None
        if task.outputs != task.labels:
            position = {label: output for output, label in enumerate(task.outputs)}
            self._positions = np.array([position.get(label, -1) for label in task.labels])

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
        yield scores, [self._columns[label] for label in words if label in self._columns]

    def _of_model(self, value: Any) -> Any:
        """TFMA keys values by model name, but not if there is only one model, or if they are all the same."""
        return value[self._model] if isinstance(value, Mapping) else value


class _Combiner(beam.CombineFn):  # type: ignore[misc]
    """Rows to a `Tally` to metrics."""

    def __init__(self, task: _Task) -> None:
        super().__init__()
        self._task = task

    def create_accumulator(self) -> Tally:
        return Tally(len(self._task.labels))

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
        task = self._task
        by_label = accumulator.labels()
        compared = asdict(accumulator.averages(by_label, task.shared))
        # A baseline has no others to average over.
        of_shared_only = task.shared is None or task.model == tfma.BASELINE_KEY
        averages = compared if of_shared_only else asdict(accumulator.averages(by_label))
        arrays = asdict(by_label)
        values: dict[str, Any] = {**averages, EXAMPLES: accumulator.examples}
        values |= {name_of_array(metric): array for metric, array in arrays.items()}
        values |= {label_key(metric, label): self._one(arrays[metric], label) for metric, label in task.gated}
        values |= {compared_key(average): compared[average] for average in task.compared}
        return {_key(name, task.model): value for name, value in values.items()}

    def _one(self, array: Any, label: str) -> float:
        return float(array[self._task.labels.index(label)])
