"""Measure reading, statistics and tokenization: rows per second and peak memory as the data grow.

    python -m benchmarks.ingest [--rows 10000 100000 1000000] [--processes 1 2]

The rows are generated: texts of 1 to 60 words with a long-tailed length, 12 labels, ten CSV files. Each measurement
runs TextExampleGen, StatisticsGen and Transform in a process of its own with TFX's local orchestration, with Beam's
in-process runner or with its multi-processing. Memory is the peak of the process and its workers together, sampled
every half second. The last line of the output has all figures as one JSON object.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

LABELS = tuple(f"label_{number:02d}" for number in range(12))
_FILES = 10
_WORDS = 20_000


@dataclass(frozen=True)
class Measured:
    """Measurements of one run. Seconds by step are reported by TFX; `total_s` is their sum."""

    rows: int
    processes: int
    seconds: dict[str, float]
    total_s: float
    rows_per_s: float
    peak_memory_mb: int


def make_rows(folder: Path, rows: int, seed: int = 0) -> None:
    """Write the data set with the columns id, text and labels."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 10))) for _ in range(_WORDS)]
    folder.mkdir(parents=True)
    for file in range(_FILES):
        with (folder / f"part-{file}.csv").open("w", encoding="utf-8") as out:
            out.write("id,text,labels\n")
            for row in range(file * rows // _FILES, (file + 1) * rows // _FILES):
                words = rng.choices(vocabulary, k=1 + min(59, int(rng.expovariate(1 / 16))))
                labels = [label for label in LABELS if rng.random() < 0.1]
                out.write(f"{row},{' '.join(words)},{'|'.join(labels)}\n")


def configure(folder: Path, data: Path, processes: int) -> Path:
    """Write schema and configuration of a run and return the configuration's path."""
    from schema.infer import infer_schema, schema_text

    folder.mkdir()
    (folder / "schema.pbtxt").write_text(schema_text(infer_schema(LABELS, [])))
    beam = {"runner": "multi_processing", "workers": processes} if processes > 1 else {}
    content = {
        "name": "ingest",
        "work_dir": "work",
        "schema_file": "schema.pbtxt",
        "registry": "registry",
        "examples": {
            "input_base": str(data),
            "id": "id",
            "labels": {"kind": "delimited", "column": "labels"},
            "inputs": [{"pattern": "*.csv", "split": {"train": 8, "eval": 1, "test": 1}}],
        },
        "evaluation": {"gates": []},
        "beam": beam,
    }
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(content))
    return folder / "pipeline.yaml"


def measure(rows: int, processes: int, folder: Path) -> Measured:
    """Run the steps in a process of their own."""
    data = folder / f"data-{rows}"
    if not data.exists():
        make_rows(data, rows)
    configuration = configure(folder / f"run-{rows}-{processes}", data, processes)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(str(configuration), sender))
    process.start()
    assert process.pid is not None
    peak = _Peak(process.pid)
    peak.start()
    process.join()
    peak.done.set()
    if process.exitcode != 0:
        raise SystemExit(f"the run of {rows} rows ended with exit status {process.exitcode}")
    seconds: dict[str, float] = receiver.recv()
    total = sum(seconds.values())
    return Measured(rows, processes, seconds, round(total, 1), round(rows / total, 1), peak.bytes >> 20)


def _run(configuration: str, sender: Any) -> None:
    from pipeline.config.loading import load_configuration
    from pipeline.running import Observers
    from runners.local import runner as local

    outcome = local.run(load_configuration(Path(configuration)), Observers(), until="Transform")
    sender.send({name: outcome.durations_s[name] for name in ("TextExampleGen", "StatisticsGen", "Transform")})


class _Peak(threading.Thread):
    """Sampler of the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.bytes = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.5):
            total = 0
            try:
                for process in (self._process, *self._process.children(recursive=True)):
                    total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.bytes = max(self.bytes, total)


def main() -> None:
    """Measure every size with every number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            for processes in arguments.processes:
                started = time.monotonic()
                results.append(measure(rows, processes, Path(folder)))
                print(f"{results[-1]} (wall {time.monotonic() - started:.0f} s)", file=sys.stderr)
    print(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main()
