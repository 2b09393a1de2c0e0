"""TFMA's side of the metrics: one `tfma.metrics.Metric` that reports every number of a multi-label evaluation.

The `EvalConfig` names it by class and module, as any TFMA metric; a worker needs this package installed, nothing else.
In each slice and for each model it reports, by name (`name_of_array`, `gates.AVERAGES`, `gates.label_key`):

- averages as scalars: `macro_f1`, ...
- every label's metrics as one array a metric, in the order of the labels: `f1_by_label`, ...; as scalars they would be
  millions of records with 500 labels in 501 slices
- the gated labels' metrics as scalars once more, for TFMA's thresholds to gate: `f1/refund`
- `examples`, their number
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
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


class MultiLabelMetrics(tfma.metrics.Metric):  # type: ignore[misc]
    """Precision, recall, F1, ROC AUC, PR AUC and support of every label, and their averages.

    Args:
        labels: the labels, in the order of the model's outputs.
        gated: [metric, label] of what the gates need as scalars.
        name: TFMA's name for the metric; the reported names do not depend on it.
    """

    def __init__(self, labels: list[str], gated: list[list[str]], name: str = "multi_label") -> None:
        super().__init__(_computations, labels=labels, gated=gated, name=name)


def _computations(
    labels: list[str], gated: list[list[str]], name: str, model_names: list[str] | None = None
) -> list[Any]:
    del name
    return [_computation(labels, gated, model) for model in model_names or [""]]


def _computation(labels: list[str], gated: list[list[str]], model: str) -> Any:
    names = [*AVERAGES, EXAMPLES]
    names += [name_of_array(metric) for metric in (*LABEL_METRICS, SUPPORT)]
    names += [label_key(metric, label) for metric, label in gated]
    return tfma.metrics.MetricComputation(
        keys=[_key(each, model) for each in names],
        preprocessors=[_ToRow(labels, model)],
        combiner=_Combiner(labels, gated, model),
    )


def _key(name: str, model: str) -> Any:
    # Not `False`: TFMA looks for the thresholds of a MetricsSpec under "neither weighted nor unweighted".
    return tfma.metrics.MetricKey(name=name, model_name=model, example_weighted=None)


class _ToRow(tfma.metrics.Preprocessor):  # type: ignore[misc]
    """Takes from an example what the combiner needs: one model's scores, and which labels are right."""

    def __init__(self, labels: Sequence[str], model: str) -> None:
        super().__init__(name=f"multi_label_row/{model}")
        self._columns = {label.encode(): column for column, label in enumerate(labels)}
        self._model = model

    def process(self, extracts: Mapping[str, Any]) -> Iterator[_Row]:
        """Yields the row of one example.

        Raises:
            ValueError: the model has another number of labels.
        """
        scores = np.ravel(self._of_model(extracts[tfma.PREDICTIONS_KEY]))
        # TFMA leaves the feature out of a batch in which no example has a label.
        labels = self._of_model(extracts.get(tfma.LABELS_KEY))
        if len(scores) != len(self._columns):
            raise ValueError(f"the model has {len(scores)} outputs for {len(self._columns)} labels")
        words: Any = () if labels is None else np.ravel(labels)
        # A label outside the schema has no column; the ExampleValidator has seen it long before.
        yield scores, [self._columns[label] for label in words if label in self._columns]

    def _of_model(self, value: Any) -> Any:
        """TFMA keys values by model name, but not if there is only one model, or if they are all the same."""
        return value[self._model] if isinstance(value, Mapping) else value


class _Combiner(beam.CombineFn):  # type: ignore[misc]
    """Rows to a `Tally` to metrics."""

    def __init__(self, labels: Sequence[str], gated: Sequence[Sequence[str]], model: str) -> None:
        super().__init__()
        self._labels = list(labels)
        self._gated = [(metric, label) for metric, label in gated]
        self._model = model

    def create_accumulator(self) -> Tally:
        return Tally(len(self._labels))

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
        values: dict[str, Any] = asdict(accumulator.averages(by_label))
        values[EXAMPLES] = accumulator.examples
        arrays = asdict(by_label)
        values |= {name_of_array(metric): array for metric, array in arrays.items()}
        values |= {label_key(metric, label): self._one(arrays[metric], label) for metric, label in self._gated}
        return {_key(name, self._model): value for name, value in values.items()}

    def _one(self, array: Any, label: str) -> float:
        return float(array[self._labels.index(label)])
