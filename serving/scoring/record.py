"""Records of a scoring: `scoring.json` beside the scores, and the plan of the work that is left."""

from typing import ClassVar

from pydantic import Field

from components.common.files import modification_time
from components.common.record import Record, Value
from components.example_gen.sources.sources import Sources

LEFTOVERS = frozenset({"log.txt"})
"""Names of what a refused scoring may leave in its folder."""


class ScoredWith(Value):
    """Model that rows were scored with.

    Attributes:
        path: Directory of the SavedModel.
        registry: Registry whose live version it was when the scoring began; None if the directory was given.
        version: Its number in the registry; None if it is not a version of one.
        model_id: SHA-256, in hex, over its files.
        labels: Labels in use, in the order of the outputs.
        thresholds: Threshold by label in use.
    """

    path: str
    registry: str | None = None
    version: int | None = None
    model_id: str
    labels: list[str]
    thresholds: dict[str, float]


class InputFact(Value):
    """Input as it was when the scoring began.

    Attributes:
        name: Path of a file, relative to the inputs' base; SQL of a query.
        size: Size of the file, in bytes; 0 for a query.
        changed: Time of the file's last change, in seconds since 1970; 0 for a query.
    """

    name: str
    size: int
    changed: float


class ScoredRows(Value):
    """Counts of the rows. Every row that was read was scored or quarantined.

    Attributes:
        read: Rows read.
        scored: Rows scored.
        quarantined: Rows that could not be read, or have no text.
        reasons: Quarantined rows by reason.
    """

    read: int
    scored: int
    quarantined: int
    reasons: dict[str, int] = Field(default={})


class ScoringRecord(Record):
    """What is in a folder of scores: written when a scoring begins, and completed when it ends.

    Attributes:
        model: The model.
        inputs: The inputs, in the order in which they are read.
        input_base: Base of the inputs' names.
        options: Settings that the scores depend on, as JSON; a second call must have the same.
        started: Time of the first call, ISO 8601.
        finished: Time of the end, ISO 8601; None while there is work left.
        rows: Counts of the rows; None until all are scored.
        shards: Number of files of scores; None until all are scored.
        seconds: Time that the last call took, in seconds; None while there is work left.
        versions: Version by package.
    """

    FILE: ClassVar = "scoring.json"

    model: ScoredWith
    inputs: list[InputFact]
    input_base: str = ""
    options: dict[str, str]
    started: str
    finished: str | None = None
    rows: ScoredRows | None = None
    shards: int | None = None
    seconds: float | None = None
    versions: dict[str, str] = Field(default={})


class ScoredBatch(Value):
    """Batch that was scored.

    Attributes:
        output: Folder of its scores.
        record: Its record.
    """

    output: str
    record: ScoringRecord


class ScoringResult(Record):
    """What the step TextScorer did.

    Attributes:
        batches: Batches that it scored, the oldest first.
        nothing_new: Why it scored none; None if it did.
    """

    FILE: ClassVar = "scored.json"

    batches: list[ScoredBatch] = Field(default=[])
    nothing_new: str | None = None


class Chunk(Value):
    """Rows that become one file of scores.

    Attributes:
        path: Path of the rows.
        rows: Number of the rows.
    """

    path: str
    rows: int


class Plan(Record):
    """Work of a scoring, after all inputs were read.

    Attributes:
        chunks: Chunks in the order of the inputs; each becomes the shard of its index.
        rejects: Paths of quarantined rows.
        rows: Counts of the rows; `scored` counts those of the chunks.
    """

    FILE: ClassVar = "plan.json"
    INDENT: ClassVar = None

    chunks: list[Chunk]
    rejects: list[str]
    rows: ScoredRows


def input_facts(sources: Sources, *, has_queries: bool) -> list[InputFact]:
    """Return the present state of the inputs.

    Args:
        sources: Files or queries.
        has_queries: True if they are queries.
    """
    if has_queries:
        return [InputFact(name=query.sql, size=0, changed=0) for query in sources.queries]
    return [InputFact(name=file.name, size=file.size, changed=modification_time(file.path)) for file in sources.files]
