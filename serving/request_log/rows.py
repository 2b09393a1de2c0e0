"""Format of the request log: Parquet files of answered texts, one file per hour, version and flush.

    <folder>/2026-11-28/05/1764000000-<random>.parquet

The date and the hour are those of the answers, in UTC, so that `{YYYY}-{MM}-{DD}/*/*.parquet` is a pattern of inputs
with spans. Each row is one text. What holds for all rows of a file is in its `LogHeader`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.common.record import Value
from serving.request_log.language import languages_of
from serving.request_log.slices import Slices

HEADER_KEY = b"bert_multilabel"
"""Key of the header in a file's metadata, as JSON."""

KEY_FILE = ".key"
"""File of the key that clients' ids are hashed with, in the folder of the log from the first server's start on."""

SCHEMA = pa.schema([
    pa.field("id", pa.string(), nullable=False),  # of the row: the request's, and the index of the text in it
    pa.field("request", pa.string(), nullable=False),  # keyed hash of the client's id, or a random id
    pa.field("time", pa.timestamp("us", "UTC"), nullable=False),  # of the answer
    pa.field("api", pa.string(), nullable=False),  # rest, grpc, v2, page, kserve
    pa.field("latency_ms", pa.float32()),  # from the arrival of the request to its answer; null if unknown
    pa.field("text", pa.string()),  # null without `texts`
    pa.field("text_pair", pa.string()),
    pa.field("characters", pa.int32(), nullable=False),  # length of the text
    pa.field("pair_characters", pa.int32()),  # null for models of single texts
    pa.field("pieces", pa.int32()),  # word pieces, [CLS] and [SEP] included, after truncation; null if not counted
    pa.field("unknown_pieces", pa.int32()),  # those of them that are [UNK]
    pa.field("is_cut", pa.bool_()),  # the text has as many pieces as the model reads, so it was probably cut
    pa.field("probabilities", pa.list_(pa.float32()), nullable=False),  # of `LogHeader.labels`, in that order
    pa.field("labels", pa.list_(pa.string()), nullable=False),  # those above their thresholds
    pa.field("language", pa.string()),  # ISO 639-1 code; null if it is not known, or not logged
    pa.field("slices", pa.map_(pa.string(), pa.string())),  # by column, as the client sent them; null if it sent none
])  # fmt: skip


class LogHeader(Value):
    """What holds for all rows of a file.

    Attributes:
        format: Version of the format; a reader refuses greater ones than it knows.
        model: Name that the model is served under.
        version: Version of the registry that answered.
        model_id: Id of the model, which copies under other versions share; empty if it has none.
        labels: Label of each probability.
        thresholds: Threshold of each label; a label is given if its probability is above it.
        retired: Those of `labels` that are no longer in use.
        slices: Slice columns that the model was evaluated by, whose values are logged where clients send them.
        sample: Share of the requests that was logged.
        dropped: Rows that were dropped, and are in no file, since the process wrote its previous file.
    """

    format: int = 1
    model: str
    version: int
    model_id: str = ""
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    retired: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    sample: float = 1.0
    dropped: int = 0


@dataclass(frozen=True)
class Pieces:
    """Word pieces of texts, an element each, int [n] or bool [n]: see SCHEMA."""

    pieces: Sequence[int]
    unknown: Sequence[int]
    is_cut: Sequence[bool]


class PieceCounter(Protocol):
    """Function that counts the word pieces of texts, or of pairs, as UTF-8."""

    def __call__(self, texts: Sequence[bytes], pairs: Sequence[bytes] | None) -> Pieces: ...


@dataclass(frozen=True)
class LoggedAnswer:
    """One answered request.

    Attributes:
        header: The model that answered; `sample` and `dropped` are filled in by the log.
        time: Time of the answer, in seconds since 1970.
        api: Interface that the request came over.
        request_id: Id that the client gave it; None if it gave none.
        latency_ms: From the arrival of the request to its answer, in ms; None if unknown.
        texts: The texts, UTF-8.
        pairs: The second texts; None for models of single texts.
        probabilities: float32 [n, n_labels].
        count_pieces: Counter of word pieces; None if there is none.
        slices: Values of each text by slice column, as far as the client sent them.
    """

    header: LogHeader
    time: float
    api: str
    request_id: str | None
    latency_ms: float | None
    texts: Sequence[bytes]
    pairs: Sequence[bytes] | None
    probabilities: NDArray[np.float32]
    count_pieces: PieceCounter | None = None
    slices: Slices = field(default_factory=dict)


def table_of(
    answers: Sequence[LoggedAnswer], requests: Sequence[str], *, texts: bool, languages: bool = True
) -> pa.Table:
    """Return the rows of answers of one version.

    Args:
        answers: At least one answer, all of one version.
        requests: The id that each is logged under.
        texts: Whether the texts themselves are kept.
        languages: Whether the languages of the texts are.
    """
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for answer, request in zip(answers, requests, strict=True):
        n = len(answer.texts)
        first, second = _decoded(answer.texts), None if answer.pairs is None else _decoded(answer.pairs)
        columns["id"] += [f"{request}-{row}" for row in range(n)]
        columns["request"] += [request] * n
        columns["time"] += [datetime.fromtimestamp(answer.time, UTC)] * n
        columns["api"] += [answer.api] * n
        columns["latency_ms"] += [answer.latency_ms] * n
        columns["text"] += first if texts else [None] * n
        columns["text_pair"] += second if texts and second is not None else [None] * n
        columns["characters"] += [len(text) for text in first]
        columns["pair_characters"] += [None] * n if second is None else [len(text) for text in second]
        counted = None if answer.count_pieces is None else answer.count_pieces(answer.texts, answer.pairs)
        columns["pieces"] += [None] * n if counted is None else counted.pieces
        columns["unknown_pieces"] += [None] * n if counted is None else counted.unknown
        columns["is_cut"] += [None] * n if counted is None else counted.is_cut
        columns["probabilities"] += answer.probabilities.tolist()
        columns["labels"] += given_labels(answer.header, answer.probabilities)
        columns["language"] += languages_of(first) if languages else [None] * n
        columns["slices"] += _by_row(answer.slices, n)
    return pa.table(columns, schema=SCHEMA)


def given_labels(header: LogHeader, probabilities: NDArray[np.float32]) -> list[list[str]]:
    """Return the labels above their thresholds of each row, in the order of the label list.

    Args:
        header: Labels and thresholds.
        probabilities: float32 [n, n_labels].

    Example:
        >>> header = LogHeader(model="m", version=1, labels=("a", "b"), thresholds=(0.5, 0.2))
        >>> given_labels(header, np.array([[0.4, 0.3], [0.9, 0.2]], np.float32))
        [['b'], ['a']]
    """
    # In float32, as the model's own `labels` output compares them.
    is_given = probabilities > np.asarray(header.thresholds, np.float32)
    return [[header.labels[index] for index in np.flatnonzero(row)] for row in is_given]


def _by_row(slices: Slices, rows: int) -> list[list[tuple[str, str]] | None]:
    """Return the slice columns of each row, as Arrow's maps take them; None for a row that has none."""
    found = []
    for row in range(rows):
        values = [(name, value) for name, of_rows in slices.items() if (value := of_rows[row]) is not None]
        found.append(values or None)
    return found


def _decoded(texts: Sequence[bytes]) -> list[str]:
    return [text.decode(errors="replace") for text in texts]
