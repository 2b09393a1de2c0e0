"""Benchmark of batch scoring: rows per second against the fastest peer in one process, and memory over time.

    python -m benchmarks.score [--rows 100000] [--folder build/serve] [--sides openvino ...] [--model DIR]

The rows are texts of GoEmotions' train split, drawn with replacement, in a CSV file. `bert-multilabel score` reads it
and writes Parquet; a peer reads it, tokenizes, scores chunks of 10,000 rows sorted by length in batches of 64, and
writes its probabilities. Both have the same weights, those of `benchmarks.serve`, which are trained and exported into
the folder if it lacks them; --model DIR scores with another export of this project beside them.

All --sides score --trial rows first. The fastest in float32, and the fastest of those with less precision, then score
all rows, in turns with this project; each in a process of its own on all cores, start included. Memory is that of the
process and its children, sampled every half second.

The last line printed is a JSON object: for each side rows per second and per second of processor time, `ratio` of this
project's to it, memory at the peak, and `memory_growth`: the median of the last fifth of the time by that of the second
fifth, in which everything is loaded.
"""

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.goemotions import GOEMOTIONS, missing, read_rows
from benchmarks.peer import FOLDER, SERVING_PACKAGES, peer_python
from benchmarks.serve import FLOAT32_PEERS, OURS, PEERS, prepare
from benchmarks.serving.model import write_record

_BATCH = 64
_SAMPLE_S = 0.5
_MIB = 1 << 20


@dataclass(frozen=True)
class Measured:
    """Measurements of one process.

    Attributes:
        rows: Number of rows.
        seconds: Elapsed time, start included.
        cpu_s: Processor time of the process and its children, in s.
        peak_mib: Largest memory of both, in MiB.
        memory_growth: Memory in the last fifth of the time by that in the second; None if it was too short.
        memory_mib: Memory at twenty moments, in MiB.
    """

    rows: int
    seconds: float
    cpu_s: float
    peak_mib: int
    memory_growth: float | None
    memory_mib: list[int]

    @property
    def rates(self) -> dict[str, float]:
        """Rows per second, and per second of processor time."""
        return {
            "rows_per_s": round(self.rows / self.seconds, 1), "rows_per_cpu_s": round(self.rows / self.cpu_s, 1)
        }  # fmt: skip


def main() -> None:
    """Measure and print."""
    options = _options()
    if message := missing(options.goemotions):
        print(json.dumps({"skipped": message}))
        return
    folder: Path = options.folder
    prepare(folder, options.goemotions, options.steps, options.peer if options.sides else None)
    models = {OURS: write_record(folder, options.goemotions), **{path.name: path for path in options.model}}
    work = Path(tempfile.mkdtemp(prefix="score-", dir=folder))
    try:
        trial = write_texts(options.goemotions / "train.tsv", work / "trial.csv", options.trial)
        rows = write_texts(options.goemotions / "train.tsv", work / "rows.csv", options.rows)
        trials = {side: _measure_peer(side, trial, options.trial, options, work) for side in options.sides}
        measured = {name: _measure_ours(path, rows, options, work) for name, path in models.items()}
        for side in fastest(trials):
            measured[side] = _measure_peer(side, rows, options.rows, options, work)
    finally:
        shutil.rmtree(work)
    print(json.dumps(_summary(measured) | {"trials": {side: each.rates for side, each in trials.items()}}))


def write_texts(source: Path, path: Path, count: int, seed: int = 0) -> Path:
    """Write texts drawn from GoEmotions as a CSV file with the columns id and text; return its path."""
    rng = random.Random(seed)
    texts = [row[0] for row in read_rows(source)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((f"t{number}", rng.choice(texts)) for number in range(count))
    return path


def measure(command: list[str], rows: int) -> Measured:
    """Run a command and measure it with its children."""
    started, cpu, samples = time.perf_counter(), 0.0, []
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(command, stdout=output, stderr=output)
        while process.poll() is None:
            try:
                family = [process, *process.children(recursive=True)]
                samples.append(sum(each.memory_info().rss for each in family))
                times = [each.cpu_times() for each in family]
                cpu = max(cpu, sum(each.user + each.system for each in times))
            except psutil.NoSuchProcess:
                pass
            time.sleep(_SAMPLE_S)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command[:4])} ... failed:\n{output.read().decode(errors='replace')[-2000:]}")
    seconds = time.perf_counter() - started
    spread = [samples[number * len(samples) // 20] // _MIB for number in range(20)]
    return Measured(rows, round(seconds, 2), round(cpu, 2), max(samples) // _MIB, _growth(samples), spread)


def fastest(trials: dict[str, Measured]) -> list[str]:
    """Return the fastest side in float32, and the fastest of the others, by processor time."""
    groups = [set(FLOAT32_PEERS), set(PEERS) - set(FLOAT32_PEERS)]
    return [min(found, key=lambda side: trials[side].cpu_s) for each in groups if (found := each & trials.keys())]


def _growth(samples: list[int]) -> float | None:
    fifth = len(samples) // 5
    if fifth < 5:
        return None
    return round(statistics.median(samples[-fifth:]) / statistics.median(samples[fifth : 2 * fifth]), 3)


def _measure_ours(model: Path, rows: Path, options: argparse.Namespace, work: Path) -> Measured:
    output = work / f"scores-{model.name}"
    command = [sys.executable, "-m", "pipeline", "score", "--model", str(model), "--input", str(rows)]
    return measure([*command, "--output", str(output), "--beam", options.beam, "--quiet"], options.rows)


def _measure_peer(side: str, rows: Path, count: int, options: argparse.Namespace, work: Path) -> Measured:
    path = work / f"{side}-{rows.stem}.json"
    job = {
        "side": side, "model": str(options.folder / "hugging_face"), "input": str(rows),
        "output": str(path.with_suffix("")), "batch": _BATCH, "threads": len(os.sched_getaffinity(0)),
    }  # fmt: skip
    path.write_text(json.dumps(job), encoding="utf-8")
    python = peer_python(options.peer, SERVING_PACKAGES)
    return measure([str(python), "-m", "benchmarks.serving.peers", str(path)], count)


def _summary(measured: dict[str, Measured]) -> dict[str, object]:
    ours = measured[OURS].rates
    sides = {}
    for side, each in measured.items():
        ratio = {name: round(ours[name] / rate, 2) for name, rate in each.rates.items()}
        sides[side] = {**each.rates, **asdict(each)} | ({} if side == OURS else {"ratio": ratio})
        print(side, {name: value for name, value in sides[side].items() if name != "memory_mib"}, file=sys.stderr)
    return {"cpus": len(os.sched_getaffinity(0)), "sides": sides}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--trial", type=int, default=3_000, help="rows that every peer scores, to find the fastest")
    parser.add_argument("--sides", nargs="*", choices=PEERS, default=list(PEERS), help="peers")
    parser.add_argument("--model", type=Path, nargs="*", default=[], help="further exports of this project")
    parser.add_argument("--beam", default="local", help="local or multi_processing")
    parser.add_argument("--goemotions", type=Path, default=GOEMOTIONS)
    parser.add_argument("--steps", type=int, default=600, help="training steps, if the model does not exist")
    parser.add_argument("--folder", type=Path, default=Path("build/serve"), help="folder of the model")
    parser.add_argument("--peer", type=Path, default=FOLDER, help="folder of the peers' environment")
    return parser.parse_args()


if __name__ == "__main__":
    main()
