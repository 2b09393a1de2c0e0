"""Texts with the probabilities of a model, from which texts to label are drawn: scored files, or logged requests."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.common.files import exists, list_files, open_input, open_seekable
from components.registry import ModelRecord, find_model
from schema.errors import Refused
from serving.request_log.reader import Window, read_requests
from serving.scoring.record import ScoringRecord

_ROWS_AT_ONCE = 4_096
_NOT_LABELS = ("id", "text", "text_pair")


@dataclass(frozen=True)
class Judge:
    """The model that texts were scored with.

    Attributes:
        name: Its version, or the first characters of its id.
        labels: Labels in use.
        thresholds: Probability above which each label is given, float64 [n_labels].
    """

    name: str
    labels: tuple[str, ...]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Some texts that one model has scored.

    Attributes:
        judge: The model.
        ids: Id of each text.
        texts: The texts.
        pairs: The second texts; None where single texts are classified.
        probabilities: float64 [n, n_labels], in the order of the judge's labels.
        slices: Values of each text by slice column; blank where it has none. All texts have the same columns.
    """

    judge: Judge
    ids: Sequence[str]
    texts: Sequence[str]
    pairs: Sequence[str | None]
    probabilities: NDArray[np.float64]
    slices: Sequence[Mapping[str, str]]


def judge_of(model: str) -> Judge:
    """Return a model of a registry.

    Args:
        model: Directory of a version, or a registry, which stands for its newest version.

    Raises:
        Refused: There is no model, or its record cannot be read.
    """
    record = ModelRecord.read(find_model(model))
    pairs = [(label, record.thresholds[index]) for index, label in enumerate(record.outputs) if label is not None]
    labels, thresholds = zip(*pairs, strict=True)
    return Judge(record.model_id[:16], tuple(labels), np.array(thresholds, np.float64))


def read_scores(path: str, judge: Judge | None = None) -> Iterator[Candidates]:
    """Read scored texts, some at a time.

    Args:
        path: A folder that `bert-multilabel score --fields text,probabilities` wrote; or a file, .parquet, .jsonl or
            .csv, with the columns id, text and probabilities (an object by label), or in CSV a column for each label.
        judge: The model; None for the one that the folder names.

    Raises:
        Refused: The texts or the probabilities are missing, or the model is not known.
    """
    files = [path]
    if exists(f"{path.rstrip('/')}/{ScoringRecord.FILE}"):
        record = ScoringRecord.read(path.rstrip("/"))
        scored_with = record.model
        judge = judge or Judge(
            str(scored_with.version or scored_with.model_id[:16]),
            tuple(scored_with.labels),
            np.array([scored_with.thresholds[label] for label in scored_with.labels], np.float64),
        )
        files = list_files(f"{path.rstrip('/')}/scores/*")
    if judge is None:
        raise Refused(f"{path}: was not written by score, which names the model; give --model, whose thresholds count")
    if not files or not all(exists(file) for file in files):
        raise Refused(f"{path}: there are no scores; give a folder that score wrote, or a file")
    for file in files:
        yield from _read_file(file, judge)


def read_log(folder: str, window: Window) -> Iterator[Candidates]:
    """Read the logged requests of a window of time, some at a time; those without their texts are left out.

    Args:
        folder: Folder of the request log.
        window: Time of the answers.

    Raises:
        Refused: There is no such folder, or a file is damaged.
    """
    for file in read_requests(folder, window):
        header = file.header
        kept = [index for index, label in enumerate(header.labels) if label not in header.retired]
        judge = Judge(
            str(header.version),
            tuple(header.labels[index] for index in kept),
            np.array([header.thresholds[index] for index in kept], np.float64),
        )
        rows = file.rows.filter(file.rows["text"].is_valid())
        if rows.num_rows:
            flat = rows["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            probabilities = flat.reshape(rows.num_rows, -1)[:, kept].astype(np.float64)
            ids, texts, pairs = (rows[name].to_pylist() for name in ("id", "text", "text_pair"))
            slices = [_filled(dict(values or ()), header.slices) for values in rows["slices"].to_pylist()]
            yield Candidates(judge, ids, texts, pairs, probabilities, slices)


def _read_file(path: str, judge: Judge) -> Iterator[Candidates]:
    readers = {".parquet": _parquet_rows, ".jsonl": _json_rows, ".csv": _csv_rows}
    read = readers.get(Path(path).suffix)
    if read is None:
        raise Refused(f"{path}: scores are read from {', '.join(readers)}")
    rows: list[Mapping[str, Any]] = []
    try:
        for row in read(path):
            rows.append(row)
            if len(rows) == _ROWS_AT_ONCE:
                yield _to_candidates(rows, judge)
                rows = []
        if rows:
            yield _to_candidates(rows, judge)
    except KeyError as error:
        raise Refused(
            f"{path}: a row has no {error}; score with --fields text,probabilities, and with the model whose thresholds"
            " count"
        ) from None
    except (ValueError, TypeError, AttributeError, OSError, csv.Error, RecursionError) as error:
        raise Refused(f"{path}: cannot be read as scores ({' '.join(str(error).split())})") from None


def _to_candidates(rows: Sequence[Mapping[str, Any]], judge: Judge) -> Candidates:
    return Candidates(
        judge,
        [str(row["id"]) for row in rows],
        [row["text"] for row in rows],
        [row.get("text_pair") for row in rows],
        np.array([[row["probabilities"][label] for label in judge.labels] for row in rows], np.float64),
        [_filled(row.get("slices") or {}) for row in rows],
    )


def _filled(values: Mapping[str, str | None], columns: Sequence[str] = ()) -> dict[str, str]:
    """Return values by slice column, blank for those that are missing."""
    return {name: values.get(name) or "" for name in columns or values}


def _parquet_rows(path: str) -> Iterator[Mapping[str, Any]]:
    try:
        with open_seekable(path) as stream:
            file = pq.ParquetFile(stream)
            names = [
                name
                for name in ("id", "text", "text_pair", "probabilities", "slices")
                if name in file.schema_arrow.names
            ]
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise ValueError(error) from None


def _json_rows(path: str) -> Iterator[Mapping[str, Any]]:
    with open_input(path) as stream:
        for line in stream:
            if line.strip():
                yield json.loads(line)


def _csv_rows(path: str) -> Iterator[Mapping[str, Any]]:
    with open_input(path) as stream:
        lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(stream))
        for row in csv.DictReader(lines):
            of_labels = {name: float(value) for name, value in row.items() if name and name not in _NOT_LABELS}
            yield {**{name: row[name] for name in _NOT_LABELS if name in row}, "probabilities": of_labels}
