"""Benchmark of the first requests to a version in a fresh process, with and without warm-up.

    python -m benchmarks.first_request --model DIR [--rounds 5]

DIR is the directory of a version. A process loads it as `serve` does, replays the warm-up requests that the Trainer
writes, or none, and answers a text of 10 words and one of 100. The sides take turns. The last line printed is a JSON
object: medians over rounds in ms, and `ratio`, the median over rounds of first requests without by those with warm-up.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from components.registry import ModelRecord
from serving.request_log.rows import LogHeader

_TEXTS = (b"why is my parcel not here after so many days", b"some words of a longer text " * 17)


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory of a version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=["warm", "cold"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(_first_requests(arguments.model, warm=arguments.side == "warm")))
        return
    with tempfile.TemporaryDirectory() as folder:
        model_dir = Path(folder, "model")
        shutil.copytree(arguments.model, model_dir)
        rounds = [{side: _run(model_dir, side) for side in ("cold", "warm")} for _ in range(arguments.rounds)]
    result: dict[str, object] = {
        f"{side}_ms": [
            round(statistics.median(each[side][index] for each in rounds), 1) for index in range(len(_TEXTS))
        ]
        for side in ("cold", "warm")
    }
    ratios = [[each["cold"][index] / each["warm"][index] for each in rounds] for index in range(len(_TEXTS))]
    print(json.dumps(result | {"ratio": [round(statistics.median(each), 2) for each in ratios]}))


def _run(model_dir: Path, side: str) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.first_request", "--model", str(model_dir), "--side", side]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [float(value) for value in json.loads(ended.stdout.splitlines()[-1])]


def _first_requests(model_dir: str, *, warm: bool) -> list[float]:
    """Return the time of the first request of each text, in ms."""
    from components.trainer.warmup import write_warmup
    from serving.server.saved_model import SavedModel
    from serving.server.warmup import warm_up

    record = ModelRecord.read(model_dir)
    header = LogHeader(model="m", version=1, labels=tuple(record.labels), thresholds=tuple(record.thresholds))
    model = SavedModel(model_dir, header, counts_pieces=False)
    columns = list(model.signatures["serve_text"].inputs)
    if warm:
        write_warmup(model_dir, columns)
        warm_up(model, model_dir)
    times = []
    for text in _TEXTS:
        started = time.perf_counter()
        model.call("serve_text", {name: [text] for name in columns})
        times.append(1e3 * (time.perf_counter() - started))
    return times


if __name__ == "__main__":
    main()
