"""`model.json`: what a model is, and what it went through before it was pushed."""

from pydantic import Field, ValidationError

from components.canary.verdict import Findings
from components.common.files import read_bytes, write_whole
from components.common.settings import Settings
from components.example_gen.report import SpanCount
from schema.errors import Refused

RECORD = "model.json"


class CalibrationRecord(Settings):
    """What calibration came to on the eval split.

    Attributes:
        method: Of calibration.
        error_before: Expected calibration error, mean over the labels in use.
        error_after: Likewise, each fifth of the split calibrated by a fit to the rest.
    """

    method: str
    error_before: float
    error_after: float


class TrainedOn(Settings):
    """The data that a model was made from.

    Attributes:
        digest: the same for the same examples, in whatever files they came.
        rows: examples by split; gradients are from train, thresholds from eval, gates from test.
        spans: ascending; empty where inputs have none.
    """

    digest: str = ""
    rows: dict[str, int] = Field(default={})
    spans: list[SpanCount] = Field(default=[])


class GateOutcome(Settings):
    """A gate that the model passed.

    A copy of what the evaluation said, in a shape of its own: records of old must be read whatever became of that.

    Attributes:
        gate: as it was written.
        value: the model's number, None where it is undefined.
        bound: what it was held against, None where nothing was.
        note: the outcome in words.
    """

    gate: str
    value: float | None = None
    bound: float | None = None
    note: str = ""


class BlessedBy(Settings):
    """What let a model through.

    Attributes:
        gates: in the order of the configuration.
        canary: what the trial found, None where there was none.
    """

    gates: list[GateOutcome] = Field(default=[])
    canary: Findings | None = None


class ModelRecord(Settings):
    """What a model is, readable without TensorFlow: `model.json` beside its saved_model.pb.

    The Trainer writes the first part beside what it exports; the push adds the second.

    Attributes:
        model_id: SHA-256, in hex, over the exported variables and graph.
        labels: in the order of the model's outputs, one for each.
        thresholds: in the same order; a label is given above its threshold.
        checkpoint: what it was fine-tuned from.
        created: when it was exported, ISO 8601.
        versions: package -> version at export.
        retired: those of `labels` that are not in use any more: their outputs are always 0, and never given.
        renamed: what a label was called before -> what it is called in `labels`.
        calibration: None where the model's probabilities are its head's own.
        checkpoint_fingerprint: of `checkpoint`'s files; None in records older than this attribute.
        started_from: the version of the registry whose weights it began with; None: the checkpoint's.
        trained_on: the data.
        macro_f1: on the test split; None where it is undefined or not known.
        blessed_by: gates and canary.
        pushed: when, ISO 8601; None before.
        files: path in the version's folder -> SHA-256, in hex, of every file but this one.
        rolled_back_to: the version that this one is a copy of; None: it is none.
        withdraws: versions that a rollback to this one took back. Their models are neither compared with nor started
            from any more, nor pushed again.
    """

    model_id: str
    labels: list[str]
    thresholds: list[float]
    checkpoint: str
    created: str
    versions: dict[str, str]
    retired: list[str] = Field(default=[])
    renamed: dict[str, str] = Field(default={})
    calibration: CalibrationRecord | None = None
    checkpoint_fingerprint: str | None = None
    started_from: str | None = None

    trained_on: TrainedOn = TrainedOn()
    macro_f1: float | None = None
    blessed_by: BlessedBy = BlessedBy()
    pushed: str | None = None
    files: dict[str, str] = Field(default={})
    rolled_back_to: int | None = None
    withdraws: list[int] = Field(default=[])

    @property
    def outputs(self) -> list[str | None]:
        """The label of every output, None for one that is retired."""
        return [None if label in self.retired else label for label in self.labels]


def write_record(model_dir: str, record: ModelRecord) -> None:
    """Writes the record beside the model's saved_model.pb."""
    write_whole(f"{model_dir.rstrip('/')}/{RECORD}", f"{record.model_dump_json(indent=2)}\n".encode())


def read_record(model_dir: str) -> ModelRecord:
    """The record of a SavedModel directory.

    Raises:
        Refused: there is none, or it cannot be read as one.
    """
    path = f"{model_dir.rstrip('/')}/{RECORD}"
    try:
        return ModelRecord.model_validate_json(read_bytes(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"{path}: cannot be read ({reason}): not a model that this pipeline exported?") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Refused(f"{path}: {where}: {first['msg']}") from error
