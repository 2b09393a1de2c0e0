"""Benchmark of the served model against PyTorch, ONNX Runtime and OpenVINO, on the same weights and texts.

    python -m benchmarks.serve [--rounds 2] [--sides ours pytorch ...] [--folder build/serve] [--steps 600]

Texts go in and probabilities come out: tokenization is included on every side. The model is MiniLM, trained for some
steps on GoEmotions; its folder is used again if it exists. This project's side is the exported SavedModel, signature
serve_text, in a process with tensorflow and tensorflow_text alone; beside it, its variants
(`training.export.variants`), each at thresholds of its own: bfloat16 in such a process, the ONNX files through the
client beside them. Each measurement is a process of its own on all cores; the sides take turns. The peers' environment,
some 5.5 GB, is installed where it lacks anything.

Measured are GoEmotions' texts and texts of 512 word pieces (concatenated comments): p50 and p99 at batch 1, throughput
in batches of 64 (16 of the long ones), load time until the first answer, peak memory, and macro F1 on the dev split at
the same thresholds, chosen for float32. Probabilities of float32 sides are compared with this project's, the F1 of each
label of a variant with the full model's: `worst_label` is the largest loss.

The last line printed is a JSON object: for each side the median over rounds, and `ratio`, the median over rounds of
this project's figure by that side's of the same round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.goemotions import GOEMOTIONS, missing, read_rows
from benchmarks.peer import FOLDER, SERVING_PACKAGES, peer_python
from benchmarks.serving.measure import Predict, measure

OURS = "ours"
_VARIANTS = {f"{OURS}_{name}": name for name in ("bfloat16", "onnx", "int8")}
_ARRAYS = ("probabilities", "f1_by_label")
PEERS = (
    "pytorch", "pytorch_bfloat16", "pytorch_compiled", "onnxruntime", "onnxruntime_int8", "openvino",
    "openvino_bfloat16", "openvino_int8",
)  # fmt: skip
FLOAT32_PEERS = ("pytorch", "pytorch_compiled", "onnxruntime", "openvino")


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as TensorFlow Serving's and TensorFlow's own default
    arguments = _arguments()
    if arguments.job is not None:
        job = json.loads(arguments.job.read_text(encoding="utf-8"))
        print(json.dumps(measure(partial(_load, job["model"]), job)))
        return
    if message := missing(arguments.data):
        print(json.dumps({"skipped": message}))
        return
    folder: Path = arguments.folder
    prepare(folder, arguments.data, arguments.steps, arguments.peer if arguments.sides else None)
    if not (folder / "variants").exists():
        raise SystemExit(f"{folder}: its model has no variants, as an older version wrote it; remove it")
    job = _job(folder, arguments)
    commands = {side: _command(side, job, folder, arguments) for side in [OURS, *_VARIANTS, *arguments.sides]}
    rounds = [{side: _run(side, command) for side, command in commands.items()} for _ in range(arguments.rounds)]
    folders = {OURS: folder / "saved_model"} | {side: folder / "variants" / name for side, name in _VARIANTS.items()}
    sides = _summary(rounds, {side: _size_mb(model) for side, model in folders.items()})
    print(json.dumps({"cpus": len(os.sched_getaffinity(0)), "rounds": arguments.rounds, "sides": sides}))


def _size_mb(model: Path) -> float:
    return round(sum(path.stat().st_size for path in model.rglob("*") if path.is_file()) / 1e6, 1)


def prepare(folder: Path, data: Path, steps: int, peer: Path | None) -> None:
    """Train the model of both sides, and export it for the peers, as far as the folder lacks them.

    Args:
        folder: Folder of the model.
        data: Folder of GoEmotions.
        steps: Training steps.
        peer: Folder of the peers' environment; None if there are none.
    """
    model = folder / "hugging_face"
    if not model.exists():
        from benchmarks.serving.model import write_model

        folder.mkdir(parents=True)
        write_model(folder, data, steps)
    if peer is not None and not (model / "openvino_int8.xml").exists():
        texts = [row[0] for row in read_rows(data / "dev.tsv", 300)]
        job = folder / "export.json"
        job.write_text(json.dumps({"side": "export", "model": str(model), "texts": texts}), encoding="utf-8")
        python = peer_python(peer, SERVING_PACKAGES)
        subprocess.run([str(python), "-m", "benchmarks.serving.peers", str(job)], stdout=sys.stderr, check=True)


def _load(saved_model: str) -> Predict:
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the operations of the graph

    model = tf.saved_model.load(saved_model)
    serve = model.signatures["serve_text"]

    def predict(texts: list[str]) -> Any:
        return serve(texts=tf.constant(texts))["probabilities"].numpy()

    predict.model = model  # type: ignore[attr-defined]  # which owns the variables
    return predict


def _job(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    rows = read_rows(arguments.data / "dev.tsv", arguments.texts)
    texts = [row[0] for row in rows]
    return {
        "texts": texts,
        "labels": [[int(index) for index in row[1].split(",")] for row in rows],
        "thresholds": json.loads((folder / "thresholds.json").read_text(encoding="utf-8")),
        "long_texts": [" ".join(texts[start : start + 60]) for start in range(0, 60 * arguments.long_texts, 60)],
        "latency_texts": 500, "batch": 64, "long_batch": 16, "compared": 200, "threads": len(os.sched_getaffinity(0)),
    }  # fmt: skip


def _command(side: str, job: dict[str, Any], folder: Path, arguments: argparse.Namespace) -> list[str]:
    path = folder / f"{side}.json"
    model = folder / ("saved_model" if side == OURS else "hugging_face")
    if side in _VARIANTS:
        model = folder / "variants" / _VARIANTS[side]
        record = json.loads((model / "model.json").read_text(encoding="utf-8"))
        job = job | {"thresholds": record["thresholds"]}
    path.write_text(json.dumps(job | {"side": side, "model": str(model)}), encoding="utf-8")
    if (model / "client.py").exists():
        return [sys.executable, "-m", "benchmarks.serving.variant", str(path)]
    if side.startswith(OURS):
        return [sys.executable, "-m", "benchmarks.serve", "--job", str(path)]
    return [str(peer_python(arguments.peer, SERVING_PACKAGES)), "-m", "benchmarks.serving.peers", str(path)]


def _run(side: str, command: list[str]) -> dict[str, Any]:
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{side}: {process.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    print(side, {name: value for name, value in result.items() if name not in _ARRAYS}, file=sys.stderr, flush=True)
    return result


def _summary(rounds: list[dict[str, dict[str, Any]]], sizes: dict[str, float]) -> dict[str, Any]:
    sides: dict[str, Any] = {}
    for side in rounds[0]:
        names = [name for name in rounds[0][side] if name not in _ARRAYS]
        sides[side] = {name: round(statistics.median(each[side][name] for each in rounds), 4) for name in names}
        sides[side] |= {"size_mb": sizes[side]} if side in sizes else {}
        if side != OURS:
            sides[side]["ratio"] = {
                name: round(statistics.median(each[OURS][name] / each[side][name] for each in rounds), 3)
                for name in names
            }
        if side in _VARIANTS:
            changes = np.subtract(rounds[0][side]["f1_by_label"], rounds[0][OURS]["f1_by_label"])
            sides[side]["worst_label"] = round(float(changes.min()), 4)
        if side in (*FLOAT32_PEERS, f"{OURS}_onnx"):
            pair = (np.array(rounds[0][which]["probabilities"]) for which in (OURS, side))
            sides[side]["largest_difference"] = float(np.abs(np.subtract(*pair)).max())
    return sides


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of GoEmotions' tsv files and labels.txt")
    parser.add_argument("--sides", nargs="*", choices=PEERS, default=list(PEERS), help="peers")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--texts", type=int, default=3000, help="number of texts of the dev split")
    parser.add_argument("--long-texts", type=int, default=16, help="number of texts of 512 word pieces")
    parser.add_argument("--steps", type=int, default=600, help="training steps, if the model does not exist")
    parser.add_argument("--folder", type=Path, default=Path("build/serve"), help="folder of the model")
    parser.add_argument("--peer", type=Path, default=FOLDER, help="folder of the peers' environment")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)  # set in the process of this project's side
    return parser.parse_args()


if __name__ == "__main__":
    main()
