"""Reliability of probabilities: how often texts with a probability of 0.3 have the label.

`calibration.json`, which a training leaves, has the numbers before and after calibration.
"""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from components.common.record import Record, Value

_BINS = 10

Floats = NDArray[np.floating]
Stage = Literal["before", "after"]


class ReliabilityBin(Value):
    """Point of a reliability diagram: the examples whose probability is in an interval.

    Attributes:
        lower: Lower bound of the interval; `from` in JSON.
        upper: Upper bound of the interval; `to` in JSON.
        examples: Number of examples.
        probability: Mean probability of the examples.
        frequency: Share of the examples that have the label.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    lower: float = Field(alias="from")
    upper: float = Field(alias="to")
    examples: int
    probability: float
    frequency: float


class LabelReliability(Value):
    """Reliability of one label.

    Attributes:
        positives: Examples of the eval split that have the label.
        slope: Slope of its calibration; None without one.
        intercept: Intercept of its calibration; None without one.
        expected_calibration_error: Error before and, if there is a calibration, after it.
        reliability: Bins before and, if there is a calibration, after it.
    """

    positives: int
    slope: float | None = None
    intercept: float | None = None
    expected_calibration_error: dict[Stage, float]
    reliability: dict[Stage, list[ReliabilityBin]]


class CalibrationReport(Record):
    """Reliability on the eval split, before and after calibration.

    Attributes:
        method: `training.calibration`.
        expected_calibration_error: Mean over the labels in use.
        reliability: Bins of all labels in use together.
        labels: Reliability by label.
    """

    FILE: ClassVar[str] = "calibration.json"

    method: str
    expected_calibration_error: dict[Stage, float]
    reliability: dict[Stage, list[ReliabilityBin]]
    labels: dict[str, LabelReliability] = Field(default={})


def reliability(probabilities: Floats, labels: Floats) -> list[ReliabilityBin]:
    """Compute the bins of a reliability diagram, those of ten equally wide ones that have examples.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1.
    """
    bins = np.minimum((probabilities.astype(np.float64) * _BINS).astype(np.int64), _BINS - 1)
    counts, probability_sums, label_sums = (
        np.bincount(bins, weights, _BINS) for weights in (None, probabilities, labels)
    )
    return [
        ReliabilityBin(
            lower=index / _BINS,
            upper=(index + 1) / _BINS,
            examples=int(counts[index]),
            probability=float(probability_sums[index] / counts[index]),
            frequency=float(label_sums[index] / counts[index]),
        )
        for index in np.flatnonzero(counts)
    ]


def expected_calibration_error(probabilities: Floats, labels: Floats) -> float:
    """Compute the mean distance between probability and frequency over bins, weighted by their examples; 0 for none.

    Source: Guo et al., 2017, equation 3, applied to the probability of one label, in ten bins.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1.

    Example:
        >>> expected_calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([1.0, 1.0, 0.0, 0.0]))
        0.25
    """
    bins = reliability(probabilities, labels)
    return sum(each.examples * abs(each.probability - each.frequency) for each in bins) / max(len(labels), 1)
