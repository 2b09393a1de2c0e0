"""Benchmark of the training speed, against Hugging Face's BERT on PyTorch in the same run.

    python -m benchmarks.train [--steps 300] [--rounds 2] [--cases short long base] [--peer build/peer]

Each measurement is a process of its own on all cores. Both sides take turns, with the same texts (GoEmotions), the same
weights (all-MiniLM-L6-v2; a randomly initialized BERT-Base in the case "base") and the same recipe. Cases: short, up to
64 tokens and batches of 32; long, up to 512 tokens (concatenated comments) and batches of 8; base, as short. Rates
exclude the first steps, in which TensorFlow traces and PyTorch warms up. The peer's environment, some 5.5 GB, is
installed if it is missing.

The last line printed is a JSON object: for each case, the rates, loss curves (means of 50 steps) and peak memory of
both sides, and the ratio of the rates.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows
from benchmarks.peer import FOLDER, peer_python

_WARM_STEPS = 30
_CURVE = 50
# BERT-Base, which is the default of Hugging Face's configuration as well.
_BASE: dict[str, Any] = {
    "vocabulary_size": 30522, "layers": 12, "heads": 12, "hidden": 768, "intermediate": 3072, "positions": 512,
    "segments": 2,
}  # fmt: skip
_CASES = {
    "short": {"max_tokens": 64, "batch_size": 32, "concatenated": 1, "base": False},
    "long": {"max_tokens": 512, "batch_size": 8, "concatenated": 40, "base": False},
    "base": {"max_tokens": 64, "batch_size": 32, "concatenated": 1, "base": True},
}


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the pipeline does
    arguments = _arguments()
    if arguments.job is not None:
        print(json.dumps(_train(json.loads(arguments.job.read_text(encoding="utf-8")))))
        return
    if message := missing(arguments.data):
        print(json.dumps({"skipped": message}))
        return
    peer = peer_python(arguments.peer)
    results = {}
    for name in arguments.cases:
        steps = arguments.steps if name == "short" else max(_WARM_STEPS + 10, arguments.steps // 5)
        with tempfile.TemporaryDirectory() as folder:
            results[name] = _measure(name, Path(folder), arguments, steps, peer)
        print(f"{name}: {results[name]}", file=sys.stderr)
    print(json.dumps(results))


def _measure(name: str, folder: Path, arguments: argparse.Namespace, steps: int, peer: Path) -> dict[str, Any]:
    job = _CASES[name] | {
        "steps": steps, "warm_steps": _WARM_STEPS, "seed": 0, "learning_rate": 1e-4, "threads": os.cpu_count(),
        "bfloat16": True, "precision": arguments.precision, "folder": str(folder), "data": str(folder / "data.npz"),
    }  # fmt: skip
    job |= _prepare(job, arguments.data)
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    commands = {
        "ours": [sys.executable, "-m", "benchmarks.train", "--job", str(folder / "job.json")],
        "peer": [str(peer), str(Path(__file__).with_name("peer_pytorch.py")), str(folder / "job.json")],
    }
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
    for _ in range(arguments.rounds):
        for side, command in commands.items():
            process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
            runs[side].append(json.loads(process.stdout.splitlines()[-1]))
    rates = {side: [run["examples_per_s"] for run in measured] for side, measured in runs.items()}
    pairs = zip(rates["ours"], rates["peer"], strict=True)
    return {
        "steps": steps,
        "examples_per_s": rates,
        "ratio": round(statistics.median(ours / peer for ours, peer in pairs), 3),
        "loss": {side: _curve(measured[0]["losses"]) for side, measured in runs.items()},
        "peak_memory_mb": {side: max(run["peak_memory_mb"] for run in measured) for side, measured in runs.items()},
    }


def _curve(losses: list[float]) -> list[float]:
    return [round(statistics.mean(losses[start : start + _CURVE]), 4) for start in range(0, len(losses), _CURVE)]


def _prepare(job: dict[str, Any], data: Path) -> dict[str, Any]:
    """Write the texts for both sides, as token ids and as examples that Transform would write.

    Returns:
        Additional keys of the job.
    """
    from benchmarks.transformed import write_transformed
    from components.checkpoints.find import BUNDLED, find_checkpoint

    checkpoint = find_checkpoint(BUNDLED)
    n_labels = len(read_labels(data))
    lines = read_rows(data / "train.tsv")
    n_comments = job["concatenated"]
    n_texts = min(len(lines) // n_comments, job["steps"] * job["batch_size"])
    texts = [" ".join(line[0] for line in lines[row * n_comments : (row + 1) * n_comments]) for row in range(n_texts)]
    label_lists = [lines[row * n_comments][1] for row in range(n_texts)]
    path = Path(job["folder"], "examples.gz")
    ids, labels = write_transformed(path, texts, label_lists, n_labels, checkpoint, job["max_tokens"])
    lengths = np.array([len(each) for each in ids], np.int64)
    np.savez(
        job["data"], ids=np.concatenate([np.array(each, np.int64) for each in ids]), lengths=lengths, labels=labels
    )
    model = None if job["base"] else str(checkpoint.folder)
    return {"examples": n_texts, "labels": n_labels, "model": model}


def _train(job: dict[str, Any]) -> dict[str, Any]:
    """Run this project's side of a measurement, with the Trainer's own input pipeline, model, optimizer and steps."""
    import keras

    from components.checkpoints.architecture import Architecture
    from components.checkpoints.backbone import build_backbone
    from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
    from components.trainer.cpu import optimize_training_for_cpu
    from components.trainer.input_pipeline import length_grouped_batches, occurring_token_ids
    from components.trainer.loop.losses import multi_hot_loss
    from components.trainer.loop.optimizer import build_optimizer
    from components.trainer.loop.plan import Plan
    from components.trainer.loop.steps import Steps, share_batches
    from components.trainer.model import build_classifier
    from components.trainer.numerics import use_precision
    from components.trainer.settings import TrainingSettings

    settings = TrainingSettings(batch_size=job["batch_size"], epochs=1, learning_rate=job["learning_rate"])
    keras.utils.set_random_seed(job["seed"])
    with use_precision(job["precision"]):
        backbone = build_backbone(Architecture(**_BASE)) if job["base"] else load_backbone(find_checkpoint(BUNDLED))
        model = build_classifier(backbone, job["labels"], settings.dropout)
    plan = Plan.of(settings, job["examples"])
    files = [f"{job['folder']}/examples.gz"]
    batches = length_grouped_batches(files, job["labels"], job["batch_size"], shuffle_seed=job["seed"])
    with optimize_training_for_cpu(model, partial(occurring_token_ids, files, backbone.vocabulary_size)):
        model.compile(optimizer=build_optimizer(settings, plan.updates, {}), loss=multi_hot_loss())
        steps = Steps(model, model.loss, model.distribute_strategy, 1, xla=False)
        iterator = iter(share_batches(batches, model.distribute_strategy))
        losses: list[float] = []
        n_seen, started = 0, time.perf_counter()
        for step in range(min(job["steps"], plan.batches)):
            if step == job["warm_steps"]:
                n_seen, started = 0, time.perf_counter()
            loss, examples = steps.update(iterator)
            losses.append(loss / examples)
            n_seen += int(examples)
        seconds = time.perf_counter() - started
    return {
        "examples_per_s": round(n_seen / seconds, 1),
        "seconds": round(seconds, 1),
        "losses": [round(loss, 4) for loss in losses],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of GoEmotions' train.tsv and labels.txt")
    parser.add_argument(
        "--steps", type=int, default=300, help="number of steps of the case short; the others have a fifth"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=list(_CASES), default=["short"])
    parser.add_argument(
        "--precision", default="auto", help="precision of this project's side: auto, float32 or bfloat16"
    )
    parser.add_argument("--peer", type=Path, default=FOLDER, help="folder of the peer's environment")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)  # set in the process of this project's side
    return parser.parse_args()


if __name__ == "__main__":
    main()
