"""What training left behind, read without TensorFlow: losses by epoch and by step, and calibration."""

import json
import struct
from collections.abc import Iterator
from typing import Any

from pydantic import Field, ValidationError

from components.common.files import list_files, open_seekable, read_bytes
from components.common.settings import Settings
from components.evaluation.insights.insights import Reliability
from components.example_gen.formats.framing import read_records

_HISTORY = "history.json"
_CALIBRATION = "calibration.json"
# As Keras's TensorBoard callback calls the mean loss of the epoch so far.
_LOSS_TAG = "batch_loss"


class CalibrationCurve(Settings):
    """Reliability on the eval split, of all labels in use together, as the Trainer left it."""

    method: str
    error: dict[str, float] = Field(description="before, and where there was a calibration, after.")
    reliability: dict[str, list[Reliability]] = Field(description="Likewise.")


class Training(Settings):
    """What came of a training.

    Attributes:
        losses: Of train, by epoch.
        eval_losses: Likewise.
        steps: (step, mean loss of its epoch so far); empty where no event file has any.
        calibration: None where the Trainer left none.
    """

    losses: list[float]
    eval_losses: list[float]
    steps: list[tuple[int, float]] = Field(default=[])
    calibration: CalibrationCurve | None = None


def read_training(model_run_uri: str) -> Training | None:
    """Reads the Trainer's model_run artifact; None where it has no history, as that of a training under way."""
    history = _json(f"{model_run_uri}/{_HISTORY}")
    if history is None:
        return None
    return Training(
        losses=history.get("loss", []),
        eval_losses=history.get("val_loss", []),
        steps=sorted(dict(_step_losses(model_run_uri)).items()),
        calibration=_calibration(model_run_uri),
    )


def _calibration(model_run_uri: str) -> CalibrationCurve | None:
    found = _json(f"{model_run_uri}/{_CALIBRATION}")
    if found is None:
        return None
    try:
        return CalibrationCurve(
            method=found["method"],
            error=found["expected_calibration_error"],
            reliability={
                when: [
                    Reliability(
                        low=each["from"],
                        examples=each["examples"],
                        probability=each["probability"],
                        frequency=each["frequency"],
                    )
                    for each in bins
                ]
                for when, bins in found["reliability"].items()
            },
        )
    except (KeyError, ValidationError):
        return None  # of an older form: the report does without


def _step_losses(model_run_uri: str) -> Iterator[tuple[int, float]]:
    # It ships with TensorBoard, and needs no TensorFlow.
    from tensorboard.compat.proto.event_pb2 import Event

    for path in list_files(f"{model_run_uri}/train/events.out.tfevents.*"):
        with open_seekable(path) as stream:
            for record in read_records(stream):
                if not isinstance(record, bytes):
                    break  # a training that was killed left half a record
                event = Event.FromString(record)
                for value in event.summary.value:
                    if value.tag == _LOSS_TAG and len(value.tensor.tensor_content) == 4:
                        yield event.step, struct.unpack("<f", value.tensor.tensor_content)[0]


def _json(path: str) -> dict[str, Any] | None:
    try:
        found = json.loads(read_bytes(path))
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None
