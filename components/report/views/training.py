"""Section of the report on the training: losses and scores, read from the Trainer's artifact without TensorFlow."""

from pydantic import Field

from components.common.record import Value
from components.evaluation.insights.insights import Reliability
from components.report.drawing.charts import Axis, Chart, Line, chart, ticks
from components.trainer.decisions.reliability import CalibrationReport
from components.trainer.loop.event_files import BATCH_LOSS, TRAIN, read_scalars
from components.trainer.loop.history import History
from schema.errors import Refused


class CalibrationCurve(Value):
    """Reliability on the eval split, of all labels in use together, as the Trainer computed it.

    Attributes:
        method: Method of calibration.
        error: Expected calibration error "before" calibration and, if there was any, "after" it.
        reliability: Reliability bins, by the same keys.
    """

    method: str
    error: dict[str, float]
    reliability: dict[str, list[Reliability]]


class Training(Value):
    """Losses and calibration of a training.

    Attributes:
        losses: Loss on the train split, by epoch.
        eval_losses: Loss on the eval split, by epoch.
        steps: (step, mean loss of the batches since the step before) pairs; empty if there are no event files.
        calibration: Calibration; None if the Trainer wrote none.
        eval_macro_f1: Macro F1 on the eval split, by epoch; empty if nothing was scored.
        best_epoch: Epoch whose weights were kept, from 1; None if it is not known.
    """

    losses: list[float]
    eval_losses: list[float]
    steps: list[tuple[int, float]] = Field(default=[])
    calibration: CalibrationCurve | None = None
    eval_macro_f1: list[float] = Field(default=[])
    best_epoch: int | None = None


def read_training(model_run_uri: str) -> Training | None:
    """Read the Trainer's model_run artifact; return None if it has no history, as during a training."""
    try:
        history = History.read(model_run_uri)
    except FileNotFoundError:
        return None
    return Training(
        losses=history.loss,
        eval_losses=history.val_loss,
        steps=read_scalars(f"{model_run_uri}/{TRAIN}").get(BATCH_LOSS, []),
        calibration=_calibration(model_run_uri),
        eval_macro_f1=history.val_macro_f1,
        best_epoch=history.best_epoch,
    )


def training_charts(training: Training | None, batches: int | None) -> list[Chart]:
    """Draw losses and eval macro F1 by epoch, with a line at the epoch whose weights were kept.

    Args:
        training: The training; None if it is not known.
        batches: Number of batches in an epoch, which maps steps to epochs; None leaves the steps out.
    """
    if training is None or not training.losses:
        return []
    epochs, best = len(training.losses), training.best_epoch
    kept = "" if best is None else f"; the dashed line is epoch {best}, whose weights were kept"
    lines = []
    if batches and training.steps:
        recent = [(step / batches, loss) for step, loss in training.steps]
        lines.append(Line("train, recent batches", "steps", recent))
    lines.append(Line("train", "train", list(enumerate(training.losses, 1)), dots=True))
    lines.append(Line("eval", "eval", list(enumerate(training.eval_losses, 1)), dots=True))
    y = ticks(max(loss for line in lines for _, loss in line.points))
    x = Axis("epoch", 0, epochs, [tick for tick in ticks(epochs) if tick <= epochs and tick == int(tick)])
    charts = [chart(f"Loss by epoch{kept}", x, Axis("loss", 0, y[-1], y), lines, cut=best)]
    if training.eval_macro_f1:
        line = Line("eval", "eval", list(enumerate(training.eval_macro_f1, 1)), dots=True)
        caption = f"Macro F1 on the eval split by epoch, at the thresholds chosen after it{kept}"
        charts.append(chart(caption, x, Axis("macro F1"), [line], cut=best))
    return charts


def _calibration(model_run_uri: str) -> CalibrationCurve | None:
    try:
        found = CalibrationReport.read(model_run_uri)
    except (FileNotFoundError, Refused):
        return None  # there is none, or another version wrote it: the report does without
    return CalibrationCurve(
        method=found.method,
        error=dict(found.expected_calibration_error),
        reliability={
            stage: [
                Reliability(
                    low=each.lower, examples=each.examples, probability=each.probability, frequency=each.frequency
                )
                for each in bins
            ]
            for stage, bins in found.reliability.items()
        },
    )
