"""Benchmark of the training speed, against what else a user would train the same BERT with, in the same run.

    python -m benchmarks.train [--steps 300] [--rounds 2] [--cases short long base] [--precisions float32 bfloat16]
                               [--sides pytorch ...] [--peer build/peer]

Each measurement is a process of its own on all cores. The sides take turns, with the same texts (GoEmotions), the same
weights (all-MiniLM-L6-v2; a randomly initialized BERT-Base in the case "base") and the same recipe. The peers are
Hugging Face's BERT on PyTorch in a loop tuned for a CPU, eager (pytorch) and by `torch.compile(dynamic=True)`
(pytorch_compiled), the Trainer of Transformers with batches grouped by length (transformers_trainer), and KerasHub's
BertTextClassifier with `fit` (keras_hub_fit). Cases: short, up to 64 tokens and batches of 32; long, up to 512 tokens
(concatenated comments) and batches of 8; base, as short. Rates exclude the first steps, in which TensorFlow traces and
PyTorch warms up or compiles. bfloat16 is measured where the processor computes in it. The peers' environment, some 5.5
GB, is installed if it is missing.

The last line printed is a JSON object: for each case and precision, by side the rates, the loss (means of 50 steps) and
the peak memory, and `ratio`, the median over rounds of this project's rate by the peer's of the same round; `best`
compares the better precision of each side.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows
from benchmarks.peer import FOLDER, TRAINING_PACKAGES, peer_python
from benchmarks.training.measure import Meter

OURS = "ours"
_PEERS = ("pytorch", "pytorch_compiled", "transformers_trainer", "keras_hub_fit")
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
    peer = peer_python(arguments.peer, TRAINING_PACKAGES) if arguments.sides != ["keras_hub_fit"] else None
    results: dict[str, Any] = {}
    for name in arguments.cases:
        steps = arguments.steps if name == "short" else max(_WARM_STEPS + 10, arguments.steps // 5)
        with tempfile.TemporaryDirectory() as folder:
            results[name] = _measure(name, Path(folder), arguments, steps, peer)
        print(f"{name}: {results[name]}", file=sys.stderr)
    print(json.dumps({"cpus": len(os.sched_getaffinity(0)), "rounds": arguments.rounds, "cases": results}))


def _measure(name: str, folder: Path, arguments: argparse.Namespace, steps: int, peer: Path | None) -> dict[str, Any]:
    job = _CASES[name] | {
        "steps": steps, "warm_steps": _WARM_STEPS, "curve": _CURVE, "seed": 0, "learning_rate": 1e-4,
        "threads": len(os.sched_getaffinity(0)), "folder": str(folder), "data": str(folder / "data.npz"),
        "base_architecture": _BASE,
    }  # fmt: skip
    job |= _prepare(job, arguments.data)
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(arguments.rounds):
        for precision in arguments.precisions:
            for side in [OURS, *arguments.sides]:
                run = _run(job | {"side": side, "precision": precision}, folder, peer)
                print(name, precision, side, run, file=sys.stderr, flush=True)
                runs.setdefault((precision, side), []).append(run)
    result = {
        precision: {side: _side(runs, precision, side) for side in [OURS, *arguments.sides]}
        for precision in arguments.precisions
    }
    return {"steps": steps, **result, "best": _best(result, arguments.sides)}


def _run(job: dict[str, Any], folder: Path, peer: Path | None) -> dict[str, Any]:
    """Run one training in a process of its own."""
    side, path = job["side"], folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    module = "pytorch" if side == "pytorch_compiled" else side
    if side == OURS:
        command = [sys.executable, "-m", "benchmarks.train", "--job", str(path)]
    else:
        python = sys.executable if side == "keras_hub_fit" else str(peer)
        command = [python, "-m", f"benchmarks.training.{module}", str(path)]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{side}: {process.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return result


def _side(runs: dict[tuple[str, str], list[dict[str, Any]]], precision: str, side: str) -> dict[str, Any]:
    """Summarize the rounds of one side."""
    measured, ours = runs[precision, side], runs[precision, OURS]
    summary: dict[str, Any] = {
        "examples_per_s": [run["examples_per_s"] for run in measured],
        "examples_per_cpu_s": [run["examples_per_cpu_s"] for run in measured],
        "loss": measured[0]["loss"],
        "peak_memory_mb": max(run["peak_memory_mb"] for run in measured),
    }
    if side != OURS:
        pairs = zip(ours, measured, strict=True)
        ratios = [our_run["examples_per_s"] / run["examples_per_s"] for our_run, run in pairs]
        summary["ratio"] = round(statistics.median(ratios), 3)
    return summary


def _best(result: dict[str, dict[str, Any]], sides: list[str]) -> dict[str, float]:
    """Return the ratio of this project's rate to each peer's, of the better precision on either side."""

    def rate(side: str) -> float:
        rates = [statistics.median(by_side[side]["examples_per_s"]) for by_side in result.values()]
        return float(max(rates))

    return {side: round(rate(OURS) / rate(side), 3) for side in sides}


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
        model.compile(optimizer=build_optimizer(settings, plan, {}), loss=multi_hot_loss())
        steps = Steps(model, model.loss, model.distribute_strategy, 1, xla=False)
        iterator = iter(share_batches(batches, model.distribute_strategy))
        meter = Meter(job)
        for _ in range(min(job["steps"], plan.batches)):
            loss, examples = steps.update(iterator)
            meter.step(int(examples), loss / examples)
    return meter.result()


def _precisions() -> list[str]:
    """Return the precisions in which the processor computes."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    return ["float32", "bfloat16"] if "bf16" in flags else ["float32"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of GoEmotions' train.tsv and labels.txt")
    parser.add_argument(
        "--steps", type=int, default=300, help="number of steps of the case short; the others have a fifth"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=list(_CASES), default=["short"])
    parser.add_argument("--precisions", nargs="+", choices=("float32", "bfloat16"), default=_precisions())
    parser.add_argument("--sides", nargs="*", choices=_PEERS, default=list(_PEERS), help="peers")
    parser.add_argument("--peer", type=Path, default=FOLDER, help="folder of the peer's environment")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)  # set in the process of this project's side
    return parser.parse_args()


if __name__ == "__main__":
    main()
