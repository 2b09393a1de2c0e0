"""Benchmark of a whole run with many labels: seconds of each step, peak memory, and size of what is left to read.

    python -m benchmarks.many_labels [--labels 1000] [--rows 100000] [--folder FOLDER]

Data are generated: a text has some of the words of each of its labels, whose frequencies fall as 1 / rank^0.8. The
encoder is a tiny random BERT of which only the head is trained, so that what is measured is everything besides the
encoder. The run is `bert-multilabel run` in a process of its own, with slices by a column and gates on a label, on all
labels and on a slice. Prints one JSON object.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from schema.infer import infer_schema, schema_text
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_CHANNELS = ("chat", "mail", "phone")
_WORDS_OF_A_LABEL = 3


def main() -> None:
    """Generate the project, run it, and print what it took."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.folder or temporary)
        _write_project(folder, arguments.labels, arguments.rows)
        result = _run(folder)
    cores = len(os.sched_getaffinity(0))
    numbers = {"labels": arguments.labels, "rows": arguments.rows, "cpus": cores, "load_average": os.getloadavg()[0]}
    print(json.dumps({"benchmark": "many_labels", **numbers, **result}))


def _run(folder: Path) -> dict[str, Any]:
    before = os.times()
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(folder / "pipeline.yaml"), "--json"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    after = os.times()
    (run,) = (folder / "work" / "runs").iterdir()
    if ended.returncode not in (0, 3):
        raise SystemExit(f"the run ended with exit status {ended.returncode}: see {run}/log.txt")
    summary = json.loads(ended.stdout)
    sizes = {
        name: round((run / name).stat().st_size / 1e6, 2)
        for name in ("summary.json", "report.html", "model_card.md", "slices.parquet")
        if (run / name).exists()
    }
    return {
        "outcome": summary["outcome"],
        "macro_f1": summary["metrics"]["macro_f1"],
        "steps_s": {step: round(seconds, 1) for step, seconds in summary["durations_s"].items()},
        "cpu_s": round(after.children_user + after.children_system - before.children_user - before.children_system),
        "peak_memory_mb": summary["peak_memory_mb"],
        "sizes_mb": sizes,
        "slices_note": summary["slices_note"],
    }


def _write_project(folder: Path, n_labels: int, n_rows: int) -> None:
    """Write data, schema, checkpoint and configuration."""
    (folder / "data").mkdir(parents=True)
    random = np.random.default_rng(0)
    words = [f"w{number}" for number in range(n_labels * 2)]
    write_tiny_bert(folder / "bert", vocabulary=(*VOCABULARY, *words))
    labels = [f"label {number:05d}" for number in range(n_labels)]
    own = random.integers(0, len(words), (n_labels, _WORDS_OF_A_LABEL))
    frequency = np.arange(1, n_labels + 1) ** -0.8
    drawn = random.choice(n_labels, (n_rows, 3), p=frequency / frequency.sum())
    with (folder / "data" / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "labels", "channel"])
        for row, each in enumerate(drawn.tolist()):
            of_row = list(dict.fromkeys(each[: 1 + row % 3]))
            text = [words[word] for label in of_row for word in own[label]] + [words[row % len(words)], str(row)]
            writer.writerow(
                [f"r{row}", " ".join(text), "|".join(labels[label] for label in of_row), _CHANNELS[row % 3]]
            )
    (folder / "schema.pbtxt").write_text(schema_text(infer_schema(labels, ["channel"])), encoding="utf-8")
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(_configuration(labels)), encoding="utf-8")


def _configuration(labels: list[str]) -> dict[str, Any]:
    return {
        "name": "many-labels",
        "work_dir": "work",
        "schema_file": "schema.pbtxt",
        "registry": "registry",
        "checkpoint": "bert",
        "max_tokens": 32,
        "examples": {
            "input_base": "data",
            "id": "id",
            "labels": {"kind": "delimited", "column": "labels"},
            "slices": ["channel"],
            "inputs": [{"pattern": "*.csv", "split": {"train": 8, "eval": 1, "test": 1}}],
        },
        "training": {"trainable": "head", "epochs": 2, "batch_size": 64},
        "evaluation": {
            "slices": ["channel"],
            "gates": ["micro_f1 >= 0", f"f1[{labels[0]}] >= 0", "f1[*] >= 0", "micro_f1 in channel=chat >= 0"],
        },
        "data_gate": {"label_drift": None},
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder", help="folder to write to, and to keep; a temporary one by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
