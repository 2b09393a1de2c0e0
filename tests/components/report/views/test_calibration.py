"""Tests of the calibration charts: bins of a few rows, and runs without calibration."""

from dataclasses import replace

from components.evaluation.insights.insights import Reliability
from components.report.views.calibration import FEWEST_ROWS, calibration_view, reliability_chart
from components.report.views.training import CalibrationCurve
from tests.components.report.made_up import material


def reliability(*examples: int) -> list[Reliability]:
    return [
        Reliability(low=number / 10, examples=count, probability=number / 10, frequency=0.5)
        for number, count in enumerate(examples)
    ]


def test_does_not_draw_bins_of_a_few_rows() -> None:
    drawn = reliability_chart("", {"candidate": reliability(FEWEST_ROWS, FEWEST_ROWS - 1, 500)})
    assert drawn is not None
    assert drawn.svg.count("<circle") == 2
    assert reliability_chart("", {"candidate": reliability(1, 2)}) is None


def test_speaks_of_after_only_where_there_was_a_calibration() -> None:
    run = material()
    assert run.training is not None
    calibrated = calibration_view(run)
    assert calibrated is not None
    assert calibrated.charts[0].caption.endswith("expected calibration error 0.060 before and 0.030 after")
    assert [name for _, name in calibrated.charts[0].legend] == ["before", "candidate"]
    curve = CalibrationCurve(method="none", error={"before": 0.06}, reliability={"before": reliability(100)})
    plain = calibration_view(replace(run, training=run.training.model_copy(update={"calibration": curve})))
    assert plain is not None
    assert plain.charts[0].caption == "Eval split, without calibration; expected calibration error 0.060"
    assert [name for _, name in plain.charts[0].legend] == ["candidate"]
