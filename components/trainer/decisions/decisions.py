"""Decisions of a model: calibrate it, and choose thresholds from its probabilities on the eval split."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.registry import CalibrationRecord
from components.trainer.decisions.calibration import Calibration, calibrate_head, cross_fitted, fit_platt
from components.trainer.decisions.reliability import (
    CalibrationReport,
    LabelReliability,
    Stage,
    expected_calibration_error,
    reliability,
)
from components.trainer.decisions.settings import DecisionSettings, MinPrecision
from components.trainer.decisions.thresholds import NEVER, choose_thresholds

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Decisions:
    """Thresholds and calibration of a model.

    Attributes:
        thresholds: float32 [n_labels].
        calibration: Result of the calibration; None without one.
    """

    thresholds: NDArray[np.float32]
    calibration: CalibrationRecord | None


def decide(
    model: Any,
    probabilities: Floats,
    labels: Floats,
    names: Sequence[str],
    settings: DecisionSettings,
    folder: str,
    retired: Sequence[int] = (),
    ancestors: Mapping[int, Sequence[int]] | None = None,
) -> Decisions:
    """Calibrate the model in place, if `calibration` is set, and choose thresholds for its probabilities.

    Args:
        model: Classifier from `build_classifier`, fitted.
        probabilities: [n, n_labels], of the model on the eval split.
        labels: [n, n_labels], 0 or 1; -1 where unknown.
        names: Label names.
        settings: Settings of calibration and thresholds.
        folder: Folder of calibration.json.
        retired: Columns of retired labels.
        ancestors: Columns of the labels that a label implies, directly or through others, by its column.
    """
    stages: dict[Stage, Floats] = {"before": probabilities}
    calibration = None
    if settings.calibration == "platt":
        calibration = fit_platt(probabilities, labels, retired)
        calibrate_head(calibration, model.output_dense)
        stages["after"] = cross_fitted(probabilities, labels, retired)
        probabilities = calibration(probabilities)
    active = [column for column in range(len(names)) if column not in retired]
    report = _report(stages, labels, names, active, calibration)
    report.write(folder)
    thresholds = choose_thresholds(probabilities, labels, retired, settings.thresholds, ancestors)
    _warn_of_labels_never_predicted(thresholds, names, active, settings)
    return Decisions(thresholds, None if calibration is None else _summarize(report))


def _report(
    stages: dict[Stage, Floats],
    labels: Floats,
    names: Sequence[str],
    active: Sequence[int],
    calibration: Calibration | None,
) -> CalibrationReport:
    is_known = labels >= 0
    by_label = {
        names[column]: LabelReliability(
            positives=int(labels[rows, column].sum()),
            slope=None if calibration is None else float(calibration.slopes[column]),
            intercept=None if calibration is None else float(calibration.intercepts[column]),
            expected_calibration_error={
                stage: expected_calibration_error(values[rows, column], labels[rows, column])
                for stage, values in stages.items()
            },
            reliability={
                stage: reliability(values[rows, column], labels[rows, column]) for stage, values in stages.items()
            },
        )
        for column, rows in ((column, is_known[:, column]) for column in active)
    }
    measured = [each for each in by_label.values() if any(each.reliability.values())]
    return CalibrationReport(
        method="none" if calibration is None else "platt",
        expected_calibration_error={
            stage: float(np.mean([each.expected_calibration_error[stage] for each in measured])) if measured else 0.0
            for stage in stages
        },
        reliability={
            stage: reliability(values[:, active][is_known[:, active]], labels[:, active][is_known[:, active]])
            for stage, values in stages.items()
        },
        labels=by_label,
    )


def _summarize(report: CalibrationReport) -> CalibrationRecord:
    errors = report.expected_calibration_error
    return CalibrationRecord(method=report.method, error_before=errors["before"], error_after=errors["after"])


def _warn_of_labels_never_predicted(
    thresholds: NDArray[np.float32], names: Sequence[str], active: Sequence[int], settings: DecisionSettings
) -> None:
    never = [names[column] for column in active if thresholds[column] >= NEVER]
    if never and isinstance(settings.thresholds, MinPrecision):
        logging.getLogger(__name__).warning(
            "no threshold gives %s a precision of %g on the eval split: never predicted",
            ", ".join(never),
            settings.thresholds.precision,
        )
