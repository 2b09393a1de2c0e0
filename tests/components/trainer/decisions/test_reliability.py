"""Reliability bins and the expected calibration error, against scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from components.trainer.decisions.reliability import (
    CalibrationReport,
    LabelReliability,
    ReliabilityBin,
    expected_calibration_error,
    reliability,
)


def test_the_error_is_the_weighted_distance_over_ten_bins() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(2000)
    labels = (rng.random(2000) < probabilities**2).astype(float)
    frequency, probability = calibration_curve(labels, probabilities, n_bins=10)
    counts = np.histogram(probabilities, bins=10, range=(0, 1))[0]
    expected = (counts / 2000) @ np.abs(frequency - probability)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected, rel=1e-9)


def test_bins_without_examples_are_omitted() -> None:
    probabilities, labels = np.array([0.0, 0.04, 0.95, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    low, high = reliability(probabilities, labels)
    assert low.model_dump() == {"from": 0.0, "to": 0.1, "examples": 2, "probability": 0.02, "frequency": 0.5}
    assert (high.examples, high.probability, high.frequency) == (2, 0.975, 1.0)


def test_the_report_is_written_and_read(tmp_path: Path) -> None:
    bins = [ReliabilityBin(lower=0.0, upper=0.1, examples=2, probability=0.05, frequency=0.5)]
    label = LabelReliability(positives=1, expected_calibration_error={"before": 0.45}, reliability={"before": bins})
    report = CalibrationReport(
        method="none", expected_calibration_error={"before": 0.45}, reliability={"before": bins}, labels={"a": label}
    )
    report.write(str(tmp_path))
    content = json.loads((tmp_path / "calibration.json").read_text())
    assert content["labels"]["a"]["reliability"]["before"][0]["from"] == 0.0
    assert CalibrationReport.read(str(tmp_path)) == report
