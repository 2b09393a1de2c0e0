"""Metrics of a variant on the test split, by the arithmetic of the Evaluator's metrics."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.files import escape_glob, list_files
from components.evaluation.metrics.catalogue import average_names, label_count_names, label_rate_names
from components.evaluation.metrics.scores import SUPPORT, UNKNOWN
from components.evaluation.metrics.tally import Tally, TallySpec
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.registry import ModelRecord
from components.trainer.decision_scores import decision_scores
from schema.features import LABELS, TEXT, TEXT_PAIR, UNKNOWN_LABELS


@dataclass(frozen=True)
class Rows:
    """Rows of a split.

    Attributes:
        texts: Text of each.
        text_pairs: Second text of each; empty if rows are single texts.
        labels: Labels of each.
        unknown: Labels of each of which nobody knows whether it has them.
    """

    texts: list[str]
    text_pairs: list[str]
    labels: list[list[str]]
    unknown: list[list[str]]

    def multi_hot(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """Return the labels as float32 [n, n_labels] of 0 and 1, -1 where unknown; others than these are left out."""
        column = {label: index for index, label in enumerate(labels)}
        values = np.zeros([len(self.texts), len(labels)], np.float32)
        for row, (given, unknown) in enumerate(zip(self.labels, self.unknown, strict=True)):
            values[row, [column[label] for label in unknown if label in column]] = -1.0
            values[row, [column[label] for label in given if label in column]] = 1.0
        return values


def read_rows(split: str) -> Rows:
    """Read the raw tf.Examples of a split's folder, in the order of its files."""
    rows = Rows([], [], [], [])
    files = list_files(f"{escape_glob(split)}/*")
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        rows.texts.append(_strings(feature, TEXT)[0])
        rows.text_pairs.extend(_strings(feature, TEXT_PAIR)[:1])
        rows.labels.append(_strings(feature, LABELS))
        rows.unknown.append(_strings(feature, UNKNOWN_LABELS))
    return rows


def _strings(feature: Any, name: str) -> list[str]:
    return [value.decode() for value in feature[name].bytes_list.value] if name in feature else []


def measure(probabilities: NDArray[np.float32], rows: Rows, record: ModelRecord) -> Metrics:
    """Compute what the Evaluator computes for all examples, without confidence intervals.

    Args:
        probabilities: [n, n_labels], of the variant.
        rows: The rows.
        record: Record of the variant, with its thresholds.
    """
    columns = [column for column, label in enumerate(record.outputs) if label is not None]
    active = [record.labels[column] for column in columns]
    thresholds = np.asarray(record.thresholds, np.float32)
    scores = decision_scores(tf.constant(probabilities), tf.constant(thresholds)).numpy()[:, columns]
    tally = Tally(TallySpec(len(active), tuple(record.thresholds[column] for column in columns)))
    index = {label: column for column, label in enumerate(active)}
    for row, (given, unknown) in enumerate(zip(rows.labels, rows.unknown, strict=True)):
        tally.add(scores[row], list(_columns(given, index)), unknown=list(_columns(unknown, index)))
    by_label = tally.labels()
    averages = tally.averages(by_label)
    return Metrics(
        **{name: _number(averages[name]) for name in average_names()},
        examples=tally.examples,
        per_label={label: _label_metrics(by_label, column) for column, label in enumerate(active)},
    )


def _columns(labels: Sequence[str], index: dict[str, int]) -> Iterator[int]:
    return (index[label] for label in labels if label in index)


def _label_metrics(values: Any, column: int) -> LabelMetrics:
    return LabelMetrics(
        **{name: _number(values[name][column]) for name in label_rate_names()},
        **{name: int(values[name][column]) for name in (*label_count_names(), SUPPORT)},
        unknown=int(values[UNKNOWN][column]) or None,
    )


def _number(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number
