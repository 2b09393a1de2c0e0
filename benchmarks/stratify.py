"""Benchmark of stratified splits: processor time and memory of counting and dealing, and how even the splits are.

    python -m benchmarks.stratify [--rows 1000000] [--labels 28]

Rows are generated, in the form in which TextExampleGen has them between reading and writing: 1.2 labels a row, whose
frequencies fall as 1 / rank^0.8. Prints one JSON object; deviations are those of a label's rows in a split from its
share, the largest of all, beside that of a split by hash.
"""

import argparse
import json
import resource
import tempfile
import time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.example_gen.dealing import count_partition, deal_out
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS
from components.example_gen.sources.sources import InputFile
from components.stratification.deal import Deal, bucket_of

_ROWS_OF_A_PARTITION = 250_000
_WEIGHTS = (8, 1, 1)
_SETTINGS = ExamplesSettings.model_validate({
    "input_base": "data", "labels": {"kind": "delimited", "column": "labels"}, "split_by": "stratified",
    "inputs": [{"pattern": "*.csv", "split": dict(zip(SPLITS, _WEIGHTS, strict=True))}],
})  # fmt: skip


def main() -> None:
    """Count and deal out generated rows, and compare the splits with those by hash."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=28)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    frequency = np.arange(1, arguments.labels + 1) ** -0.8
    frequency *= 1.2 / frequency.sum()
    keys = rng.integers(0, 1 << 64, arguments.rows, np.uint64, endpoint=False)
    labels = [np.flatnonzero(rng.random(arguments.rows) < share) for share in frequency]
    before_mb, started = _peak_mb(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        paths = [_count(part, folder) for part in _partitions(keys, labels)]
        counted = time.process_time()
        deal = deal_out(paths, _SETTINGS, Deal())
    seconds = {"counting": round(counted - started, 1), "dealing": round(time.process_time() - counted, 1)}
    splits = deal.of(_WEIGHTS)[bucket_of(keys)]
    by_hash = np.searchsorted(np.cumsum(_WEIGHTS), keys % np.uint64(sum(_WEIGHTS)), side="right").astype(np.uint8)
    result = {
        "rows": arguments.rows,
        "labels": arguments.labels,
        "rarest_label_rows": min(len(rows) for rows in labels),
        "cpu_s": seconds,
        "peak_memory_mb": _peak_mb(),
        "before_mb": before_mb,
        "file_bytes": len(deal.to_bytes()),
        "largest_deviation_rows": {"stratified": _deviation(labels, splits), "by_hash": _deviation(labels, by_hash)},
    }
    print(json.dumps({"benchmark": "stratify", **result}))


def _partitions(keys: NDArray[np.uint64], labels: list[NDArray[np.intp]]) -> list[pa.Table]:
    """Return the rows as tables with the columns that counting reads."""
    row, label = np.concatenate(labels), np.repeat(np.arange(len(labels)), [len(rows) for rows in labels])
    order = np.argsort(row, kind="stable")
    ends = np.searchsorted(row[order], np.arange(len(keys) + 1))
    names = pa.array([f"label {number}" for number in range(len(labels))]).take(pa.array(label[order]))
    of_rows = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), names)
    table = pa.table({
        "text_key": keys, "unit_key": keys, "file": np.zeros(len(keys), np.int32), "labels": of_rows,
    })  # fmt: skip
    return [table.slice(start, _ROWS_OF_A_PARTITION) for start in range(0, len(keys), _ROWS_OF_A_PARTITION)]


def _count(table: pa.Table, folder: str) -> str:
    file = InputFile(path="a.csv", name="a.csv", input=0, order=0, size=0)
    return count_partition(table, [file], _SETTINGS, folder)


def _deviation(labels: list[NDArray[np.intp]], splits: NDArray[np.uint8]) -> float:
    shares = np.array(_WEIGHTS) / sum(_WEIGHTS)
    counts = np.array([np.bincount(splits[rows], minlength=len(_WEIGHTS)) for rows in labels])
    wanted = counts.sum(axis=1, keepdims=True) * shares
    return round(float(np.abs(counts - wanted).max()), 1)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
