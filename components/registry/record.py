"""`model.json`: what a model is, and what it passed before it was pushed."""

import hashlib
import json
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationError

from components.checkpoints.pooling import Pooling
from components.common.files import exists, make_folder, read_bytes, write_whole
from components.common.record import Record, Value
from components.example_gen.report import SpanCount
from schema.errors import Refused

SERVING_FOLDER = "Format-Serving"
"""Folder of a TFX Model artifact that the served model is in; TFX's own `path_utils` takes seconds to import."""

DIGEST_KEY = "digest"
"""Key of `model.json`: the digest of the other keys."""


class CalibrationRecord(Value):
    """Calibration on the eval split.

    Attributes:
        method: Method of calibration.
        error_before: Expected calibration error before it, mean over the labels in use.
        error_after: Expected calibration error after it, each fifth of the split calibrated by a fit to the rest.
    """

    method: str
    error_before: float
    error_after: float


class TrainedOn(Value):
    """Data that a model was trained on.

    Attributes:
        digest: Digest of the examples; independent of the files that they came in.
        rows: Number of examples by split; gradients are from train, thresholds from eval, gates from test.
        spans: Spans, ascending; empty if the inputs have none.
    """

    digest: str = ""
    rows: dict[str, int] = Field(default={})
    spans: list[SpanCount] = Field(default=[])


class PassedGate(Value):
    """A gate that the model passed.

    A type of its own rather than the evaluation's, so that records stay readable when that one changes.

    Attributes:
        gate: The gate, as it was written in the configuration.
        value: Value of the model; None if it is undefined.
        bound: Bound that the value was compared with; None if it was compared with none.
        note: The result in words.
    """

    gate: str
    value: float | None = None
    bound: float | None = None
    note: str = ""


class Latency(Value):
    """Time of one request, sent to the candidate and the live model by turns.

    Attributes:
        request: What was sent, in words.
        candidate_ms: Median latency of the candidate, in ms.
        baseline_ms: Median latency of the live model, in ms.
        bound_ms: Highest latency of the candidate that passes, in ms.
        candidate_cpu_ms: Median processor time of the candidate, all threads together, in ms; None in older records.
        baseline_cpu_ms: Median processor time of the live model, in ms.
        bound_cpu_ms: Highest processor time of the candidate that passes, in ms.
    """

    request: str
    candidate_ms: float
    baseline_ms: float
    bound_ms: float
    candidate_cpu_ms: float | None = None
    baseline_cpu_ms: float | None = None
    bound_cpu_ms: float | None = None

    @property
    def excess_ms(self) -> float:
        """Latency above the bound, in ms; negative below it."""
        return self.candidate_ms - self.bound_ms

    @property
    def passed(self) -> bool:
        return self.excess_ms <= 0

    @property
    def cpu_exceeds(self) -> bool:
        """True unless the processor time is within its bound, which means that other work has slowed the request."""
        if self.candidate_cpu_ms is None or self.bound_cpu_ms is None:
            return True
        return self.candidate_cpu_ms > self.bound_cpu_ms


class CanaryFindings(Value):
    """Measurements of the canary, as far as its trial came.

    Attributes:
        requests: Number of requests answered correctly, including invalid ones that were correctly refused.
        load_s: Time to load the model, in seconds.
        load_cpu_s: Processor time to load it, in seconds.
        peak_memory_mb: Peak memory of the model's process, in MiB.
        memory_limit_mb: Memory that the process was allowed, in MiB; None for no limit.
        compared_rows: Number of rows of the Trainer's reference batch that were compared.
        largest_difference: Largest difference from the probabilities stored with that batch.
        latency: Latencies beside the live model's; empty if they were not measured.
        latency_note: Why they were not measured; empty if they were.
    """

    requests: int = 0
    load_s: float | None = None
    load_cpu_s: float | None = None
    peak_memory_mb: int | None = None
    memory_limit_mb: int | None = None
    compared_rows: int = 0
    largest_difference: float | None = None
    latency: list[Latency] = Field(default=[])
    latency_note: str = ""


class BlessedBy(Value):
    """What a model passed.

    Attributes:
        gates: Gates, in the order of the configuration.
        canary: Measurements of the canary; None if there was none.
        model_id: Id of the model that the gates and the canary decided on; None in records older than this attribute.
    """

    gates: list[PassedGate] = Field(default=[])
    canary: CanaryFindings | None = None
    model_id: str | None = None


class ModelRecord(Record):
    """Description of a model: `model.json`, beside its saved_model.pb.

    The Trainer writes the first group of attributes beside the model it exports; the push adds the second. The file
    ends with a digest of itself, so that a change by anything but this class is noticed.

    Attributes:
        model_id: SHA-256, in hex, over the names and contents of the exported files: `integrity.content_id`.
        labels: Labels, one for each output of the model, in that order.
        thresholds: Thresholds in the same order; a label is given if its probability is above its threshold.
        checkpoint: Checkpoint that the model was fine-tuned from.
        created: Time of the export, ISO 8601.
        versions: Version by package at export.
        retired: Those of `labels` that are no longer in use: their outputs are always 0, and they are never given.
        renamed: Present name by former name, of the labels that were renamed.
        implies: Labels that a label implies directly, by that label, which is never given without them.
        slices: Columns beside the text by which the model was evaluated.
        calibration: Calibration of the model; None if its probabilities come from the head as they are.
        checkpoint_fingerprint: Fingerprint of the files of `checkpoint`; None in records older than this attribute.
        pooling: How one vector is made of the outputs of a text's tokens.
        started_from: Version of the registry that training started from; None if it started from the checkpoint.
        variant: Which variant of another model it is, such as `int8`; None for a model as it was trained.
        variant_of: Id of that other model.
        trained_on: Data that the model was trained on.
        macro_f1: Macro F1 on the test split; None if it is undefined or unknown.
        blessed_by: What the model passed.
        pushed: Time of the push, ISO 8601; None before it.
        files: SHA-256, in hex, of every file of the version but this one, by path in the version's folder.
        rolled_back_to: Version that this one is a copy of; None if it is not a copy.
        withdraws: Versions that a rollback to this one withdrew. Their models are no longer compared with, started
            from or pushed again.
    """

    FILE: ClassVar = "model.json"

    model_id: str
    labels: list[str]
    thresholds: list[float]
    checkpoint: str
    created: str
    versions: dict[str, str]
    retired: list[str] = Field(default=[])
    renamed: dict[str, str] = Field(default={})
    implies: dict[str, list[str]] = Field(default={})
    slices: list[str] = Field(default=[])
    calibration: CalibrationRecord | None = None
    checkpoint_fingerprint: str | None = None
    pooling: Pooling = "cls"
    started_from: str | None = None
    variant: str | None = None
    variant_of: str | None = None

    trained_on: TrainedOn = TrainedOn()
    macro_f1: float | None = None
    blessed_by: BlessedBy = BlessedBy()
    pushed: str | None = None
    files: dict[str, str] = Field(default={})
    rolled_back_to: int | None = None
    withdraws: list[int] = Field(default=[])

    @property
    def outputs(self) -> list[str | None]:
        """Label of each output; None for a retired one."""
        return [None if label in self.retired else label for label in self.labels]

    def write(self, folder: str) -> None:
        """Write the record into a folder, with its digest."""
        content = self.model_dump(mode="json")
        content[DIGEST_KEY] = record_digest(content)
        make_folder(folder)
        text = f"{json.dumps(content, indent=self.INDENT, ensure_ascii=False)}\n"
        write_whole(f"{folder.rstrip('/')}/{self.FILE}", text.encode())

    @classmethod
    def read(cls, folder: str) -> Self:
        """Read the record of a SavedModel directory.

        Raises:
            Refused: There is none, which means that this pipeline did not export the model, or it is damaged.
        """
        path = f"{folder.rstrip('/')}/{cls.FILE}"
        try:
            content = read_bytes(path)
            record = cls.model_validate_json(content)
            found = json.loads(content)
            digest = found.pop(DIGEST_KEY, None)  # none in records of older releases
            is_intact = digest is None or digest == record_digest(found)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Refused(f"{path}: cannot be read ({reason}): not a model that this pipeline exported?") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise Refused(f"{path}: {where}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:  # of an unknown key, for example a number of 5,000 digits
            raise Refused(f"{path}: the file: {error}") from error
        if not is_intact:
            raise Refused(f"{path}: has changed since it was written")
        return record

    @classmethod
    def find(cls, folder: str) -> Self | None:
        """Read the record of a SavedModel directory, if it has one.

        Returns:
            The record; None if there is no such file, as in a version that another tool pushed.

        Raises:
            Refused: There is one, but it cannot be read. What it says is unknown then, and must not be taken for none.
        """
        return cls.read(folder) if exists(f"{folder.rstrip('/')}/{cls.FILE}") else None


def record_digest(content: dict[str, Any]) -> str:
    """Compute the SHA-256 of a JSON object, however it is written; numbers and unknown keys count as they are."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class RemovedVersions(Record):
    """Versions that were removed from a registry, in the file `.removed.json` of its folder.

    A removed version still tells what it was, and what it withdrew stays withdrawn.

    Attributes:
        records: Record of each version by its number, without checksums and thresholds.
    """

    FILE: ClassVar = ".removed.json"
    INDENT: ClassVar = None

    records: dict[int, ModelRecord] = Field(default={})

    def add(self, records: dict[int, ModelRecord]) -> Self:
        """Return the record with further versions."""
        short = {
            number: record.model_copy(
                update={"files": {}, "thresholds": [], "versions": {}, "calibration": None, "blessed_by": BlessedBy()}
            )
            for number, record in records.items()
        }
        return self.model_copy(update={"records": self.records | short})

    @classmethod
    def find(cls, base: str) -> Self:
        """Read the record of a registry; empty if nothing was removed from it.

        Raises:
            Refused: It cannot be read: which models were withdrawn is unknown then, and must not be taken for none.
        """
        if not exists(f"{base.rstrip('/')}/{cls.FILE}"):
            return cls()
        try:
            return cls.read(base.rstrip("/"))
        except Refused as refused:
            raise Refused(
                f"{str(refused).partition(';')[0]}; restore it, or delete it: a model that was rolled back and removed"
                " may then be pushed again"
            ) from None
