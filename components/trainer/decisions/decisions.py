"""From what the model says of the eval split to what it decides: calibration first, then thresholds."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.files import write_whole
from components.registry import CalibrationRecord
from components.trainer.choices import MinPrecision
from components.trainer.decisions.calibration import (
    Calibration,
    cross_fitted,
    expected_calibration_error,
    fit_platt,
    put_into_head,
    reliability,
)
from components.trainer.decisions.thresholds import NEVER, choose_thresholds
from components.trainer.settings import TrainingSettings

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Decisions:
    """Thresholds float32 [n_labels], and what calibration came to, None where there was none."""

    thresholds: NDArray[np.float32]
    calibration: CalibrationRecord | None


def decide(
    model: Any,
    probabilities: Floats,
    labels: Floats,
    names: Sequence[str],
    settings: TrainingSettings,
    folder: str,
    retired: Sequence[int] = (),
) -> Decisions:
    """Calibrates the model in place, where that is asked for, and chooses thresholds of what it says then.

    Args:
        model: From `build_classifier`, fitted.
        probabilities: [n, n_labels], its own, of the eval split.
        labels: [n, n_labels], 0 or 1.
        names: Of the labels.
        settings: `calibration` and `thresholds` count.
        folder: calibration.json goes there: calibration errors and reliability before and, if there is one, after.
        retired: Columns of labels that are not in use any more.
    """
    active = [column for column in range(len(names)) if column not in retired]
    said = {"before": probabilities}
    calibration = None
    if settings.calibration == "platt":
        calibration = fit_platt(probabilities, labels, retired)
        put_into_head(calibration, model.layers[-1])
        said["after"] = cross_fitted(probabilities, labels, retired)
        probabilities = calibration(probabilities)
    errors = {
        when: {names[j]: expected_calibration_error(values[:, j], labels[:, j]) for j in active}
        for when, values in said.items()
    }
    report = {
        "method": settings.calibration,
        "expected_calibration_error": {when: _mean(each) for when, each in errors.items()},
        # Of all labels in use together, then of each.
        "reliability": {when: _pooled(values, labels, active) for when, values in said.items()},
        "labels": {
            names[j]: {
                "positives": int(labels[:, j].sum()),
                **_fitted(calibration, j),
                "expected_calibration_error": {when: each[names[j]] for when, each in errors.items()},
                "reliability": {when: reliability(values[:, j], labels[:, j]) for when, values in said.items()},
            }
            for j in active
        },
    }
    write_whole(f"{folder}/calibration.json", f"{json.dumps(report, indent=2, ensure_ascii=False)}\n".encode())
    thresholds = choose_thresholds(probabilities, labels, retired, settings.thresholds)
    _warn_of_never_given(thresholds, names, active, settings)
    return Decisions(thresholds, None if calibration is None else _record(errors))


def _record(errors: dict[str, dict[str, float]]) -> CalibrationRecord:
    return CalibrationRecord(method="platt", error_before=_mean(errors["before"]), error_after=_mean(errors["after"]))


def _fitted(calibration: Calibration | None, column: int) -> dict[str, float]:
    if calibration is None:
        return {}
    return {"slope": float(calibration.slopes[column]), "intercept": float(calibration.intercepts[column])}


def _pooled(probabilities: Floats, labels: Floats, active: Sequence[int]) -> list[dict[str, float]]:
    return reliability(probabilities[:, active].ravel(), labels[:, active].ravel())


def _mean(by_label: dict[str, float]) -> float:
    return float(np.mean(list(by_label.values())))


def _warn_of_never_given(
    thresholds: NDArray[np.float32], names: Sequence[str], active: Sequence[int], settings: TrainingSettings
) -> None:
    never = [names[column] for column in active if thresholds[column] >= NEVER]
    if never and isinstance(settings.thresholds, MinPrecision):
        logging.getLogger(__name__).warning(
            "no threshold gives %s a precision of %g on the eval split: never given",
            ", ".join(never),
            settings.thresholds.precision,
        )
