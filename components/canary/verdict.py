"""What came of the trial: `canary.json` in the InfraBlessing artifact. Needs no TensorFlow."""

from pydantic import Field

from components.common.files import read_bytes
from components.common.settings import Settings, write_json

TOLERANCE = 1e-5  # of a probability, between the Trainer's process and a fresh one
_FILE = "canary.json"


class Latency(Settings):
    """One request's time, asked of both models by turns.

    Attributes:
        request: what was asked.
        candidate_ms: the median.
        baseline_ms: likewise.
        bound_ms: the most that passes.
    """

    request: str
    candidate_ms: float
    baseline_ms: float
    bound_ms: float

    @property
    def excess_ms(self) -> float:
        """Above the bound; negative below it."""
        return self.candidate_ms - self.bound_ms

    @property
    def passed(self) -> bool:
        return self.excess_ms <= 0


class Findings(Settings):
    """What was measured, as far as the trial came.

    Attributes:
        requests: answered as they should be, refused ones that should be refused included.
        load_s: seconds until the model had been loaded.
        peak_memory_mb: MiB that the model's process held at most.
        memory_limit_mb: that it was allowed; None: any.
        compared_rows: of the Trainer's stored batch.
        largest_difference: from the probabilities stored with it.
        latency: beside the baseline; empty where that was not measured.
        latency_note: why not, empty where it was.
    """

    requests: int = 0
    load_s: float | None = None
    peak_memory_mb: int | None = None
    memory_limit_mb: int | None = None
    compared_rows: int = 0
    largest_difference: float | None = None
    latency: list[Latency] = Field(default=[])
    latency_note: str = ""


class CanaryVerdict(Settings):
    """Whether a model may be pushed, as far as answering goes.

    Attributes:
        passed: whether it may.
        reasons: why not, one line each; empty if it may.
        findings: what was measured.
    """

    passed: bool
    reasons: list[str]
    findings: Findings


def write_verdict(uri: str, verdict: CanaryVerdict) -> None:
    """Writes the verdict into the artifact, complete or not at all."""
    write_json(uri, _FILE, verdict)


def read_verdict(uri: str) -> CanaryVerdict:
    """Reads the verdict of a `Canary`'s artifact.

    Raises:
        FileNotFoundError: it is none of a `Canary`.
    """
    return CanaryVerdict.model_validate_json(read_bytes(f"{uri}/{_FILE}"))
