"""Rows that are compared: one per answered text, from the request log, from scores, or from a version's eval split.

A table of rows has the columns `labels` (those given), `text_length` in characters, `unknown_pieces` (share of a text's
word pieces), `blank` and `cut` (0 or 1), `language`, `probability of LABEL` for each label in use, and one string
column per slice. A column that a source does not know is missing or null.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.common.files import exists, is_folder, list_files, list_folder, open_seekable
from schema.errors import Refused
from schema.features import LABELS, TEXT_LENGTH
from serving.request_log.language import languages_of
from serving.request_log.reader import Window, read_requests
from serving.scoring.record import LEFTOVERS, ScoringRecord
from serving.scoring.shards import SCORES

UNKNOWN_PIECES, BLANK, CUT, LANGUAGE = "unknown_pieces", "blank", "cut", "language"
PROBABILITY, SLICE = "probability of ", "slice "
_SEED = 0
_MOST_CHARACTERS = 200  # of an error of pyarrow, which may quote the file


@dataclass(frozen=True)
class Answered:
    """Rows that one model answered.

    Attributes:
        model_id: Id of the model.
        version: Its version in the registry; None if it is in none.
        rows: Table of the rows; see the module.
        count: Number of rows before some were drawn.
    """

    model_id: str
    version: int | None
    rows: pa.Table
    count: int


def table_of(
    probabilities: Mapping[str, NDArray[np.float32]],
    labels: Any,
    *,
    characters: Any = None,
    unknown: Any = None,
    cut: Any = None,
    languages: Any = None,
    slices: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Return a table of rows.

    Args:
        probabilities: Probabilities [n] by label in use.
        labels: Labels given, a list per row.
        characters: Length of each text; 0 for a blank one; None if it is not known.
        unknown: Share of unknown word pieces of each text; None if it is not known.
        cut: Whether each text was cut; None if it is not known.
        languages: Language of each text; None if no text is known.
        slices: Value of each row by slice column.
    """
    columns: dict[str, Any] = {LABELS: pa.array(labels, pa.list_(pa.string()))}
    if characters is not None:
        columns[TEXT_LENGTH] = pa.array(characters, pa.int64())
        columns[BLANK] = pc.equal(columns[TEXT_LENGTH], 0).cast(pa.int64())
    if unknown is not None:
        columns[UNKNOWN_PIECES] = pa.array(unknown, pa.float32())
    if cut is not None:
        columns[CUT] = pa.array(cut, pa.bool_()).cast(pa.int64())
    if languages is not None:
        columns[LANGUAGE] = pa.array(languages, pa.string())
    for label, values in probabilities.items():
        columns[f"{PROBABILITY}{label}"] = pa.array(values, pa.float32())
    for name, values in (slices or {}).items():
        columns[f"{SLICE}{name}"] = pa.array(values, pa.string())
    return pa.table(columns)


def answered(log: str | None, scores: str | None, window: Window, max_rows: int) -> list[Answered]:
    """Return the rows of a window by the model that answered them, those of the most rows first.

    Args:
        log: Folder of the request log; None for none.
        scores: Folder of scores; None for none.
        window: Time of the answers.
        max_rows: Rows to keep of each model, drawn at random; memory does not grow beyond some times of that.
    """
    kept: dict[str, _Kept] = {}
    sources = [*([_logged(log, window)] if log else []), *([_scored(scores, window)] if scores else [])]
    for source in sources:
        for part in source:
            kept.setdefault(part.model_id, _Kept(part.model_id, max_rows)).add(part)
    return sorted((each.answered() for each in kept.values()), key=lambda each: -each.count)


class _Kept:
    """Random sample of the rows of one model."""

    def __init__(self, model_id: str, max_rows: int) -> None:
        self._model_id, self._max_rows = model_id, max_rows
        self._version: int | None = None
        self._parts: list[pa.Table] = []
        self._keys: list[NDArray[np.float64]] = []
        self._count = 0
        self._random = np.random.default_rng(_SEED)

    def add(self, part: Answered) -> None:
        """Add rows; of all so far, those with the smallest random keys are kept."""
        self._version, self._count = part.version, self._count + part.rows.num_rows
        self._parts.append(part.rows)
        self._keys.append(self._random.random(part.rows.num_rows))
        if sum(len(keys) for keys in self._keys) > 2 * self._max_rows:
            self._draw()

    def answered(self) -> Answered:
        """Return the sample."""
        self._draw()
        return Answered(self._model_id, self._version, self._parts[0], self._count)

    def _draw(self) -> None:
        rows, keys = pa.concat_tables(self._parts, promote_options="default"), np.concatenate(self._keys)
        chosen = np.sort(np.argsort(keys)[: self._max_rows])
        self._parts, self._keys = [rows.take(pa.array(chosen)).combine_chunks()], [keys[chosen]]


def _logged(folder: str, window: Window) -> Iterator[Answered]:
    for file in read_requests(folder, window):
        header, rows = file.header, file.rows
        n, n_labels = rows.num_rows, len(header.labels)
        values = rows["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(n, n_labels)
        in_use = [index for index, label in enumerate(header.labels) if label not in header.retired]
        pieces, unknown = rows["pieces"], rows["unknown_pieces"]
        characters = pc.add(rows["characters"], pc.fill_null(rows["pair_characters"], 0))
        table = table_of(
            {header.labels[index]: values[:, index] for index in in_use},
            rows["labels"].combine_chunks(),
            characters=characters.combine_chunks(),
            unknown=pc.divide(unknown.cast(pa.float32()), pieces.cast(pa.float32())).combine_chunks(),
            cut=rows["is_cut"].combine_chunks(),
            languages=rows["language"].combine_chunks(),
            slices=_logged_slices(rows["slices"], header.slices),
        )
        yield Answered(header.model_id or f"version {header.version}", header.version, table, n)


def _logged_slices(slices: pa.ChunkedArray, columns: Sequence[str]) -> dict[str, list[str | None]]:
    """Return the values by slice column, of those that clients have sent."""
    by_row = [dict(values or ()) for values in slices.to_pylist()]
    return {name: [values.get(name) for values in by_row] for name in columns}


def _scored(folder: str, window: Window) -> Iterator[Answered]:
    _check_folder_of_scores(folder)
    for base in _folders_in(folder):
        try:
            record = ScoringRecord.read(base)
        except FileNotFoundError:
            continue
        if record.finished is None:
            continue
        finished = datetime.fromisoformat(record.finished).astimezone(UTC)
        if window.overlaps(finished, finished.replace(microsecond=999_999)):
            for path in list_files(f"{base}/{SCORES}/*.parquet"):
                yield from _read_scores(path, record)


def _check_folder_of_scores(folder: str) -> None:
    """Check that `score` writes its folders into a folder. An empty one is told apart from a misspelled one.

    Raises:
        Refused: It does not exist, or holds something else.
    """
    remedy = "give the folder that the folders of `score` are in"
    if not is_folder(folder):
        raise Refused(f"{folder}: there is no such folder; {remedy}, or create it if nothing has been scored yet")
    if exists(f"{folder.rstrip('/')}/{ScoringRecord.FILE}"):
        raise Refused(f"{folder}: is the folder of one scoring; {remedy}")
    below = _folders_in(folder)
    if below and not any(_is_of_score(base) for base in below):
        raise Refused(f"{folder}: has no folder that `score` wrote; {remedy}")


def _is_of_score(folder: str) -> bool:
    """Return whether a folder is that of a scoring, which may have only just begun."""
    return exists(f"{folder}/{ScoringRecord.FILE}") or set(list_folder(folder)) <= LEFTOVERS


def _folders_in(folder: str) -> list[str]:
    names = sorted(name.rstrip("/") for name in list_folder(folder))
    return [base for name in names if is_folder(base := f"{folder.rstrip('/')}/{name}")]


def _read_scores(path: str, record: ScoringRecord) -> Iterator[Answered]:
    try:
        with open_seekable(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(10_000):
                yield _of_scores(pa.Table.from_batches([batch]), record)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:_MOST_CHARACTERS]
        raise Refused(f"{path}: cannot be read as scores ({reason}); score the rows again") from None


def _of_scores(scores: pa.Table, record: ScoringRecord) -> Answered:
    names = record.model.labels
    probabilities, labels = {}, None
    if "probabilities" in scores.column_names:
        struct = scores["probabilities"].combine_chunks()
        probabilities = {name: struct.field(name).to_numpy() for name in names}
        given = np.stack([values > np.float32(record.model.thresholds[name]) for name, values in probabilities.items()])
        labels = [[names[index] for index in np.flatnonzero(row)] for row in given.T]
    elif "labels" in scores.column_names:
        labels = scores["labels"].combine_chunks()
    slices = {}
    if "slices" in scores.column_names:
        struct = scores["slices"].combine_chunks()
        slices = {field.name: struct.field(field.name) for field in struct.type}
    has_texts = "text" in scores.column_names
    table = table_of(
        probabilities,
        labels or [[]] * scores.num_rows,
        characters=_characters(scores) if has_texts else None,
        languages=languages_of(scores["text"].to_pylist()) if has_texts else None,
        slices=slices,
    )
    return Answered(record.model.model_id, record.model.version, table, scores.num_rows)


def _characters(scores: pa.Table) -> Sequence[int]:
    texts = scores["text"].to_pylist()
    pairs = scores["text_pair"].to_pylist() if "text_pair" in scores.column_names else [""] * len(texts)
    return [len(text) + len(pair or "") for text, pair in zip(texts, pairs, strict=True)]
