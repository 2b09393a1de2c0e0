"""Benchmark of the model's quality on GoEmotions, and of what each part of the recipe contributes.

    python -m benchmarks.quality [--variants default zeros ...] [--seeds 0 1 2] [--output build/quality]

It runs the Trainer's own steps without the pipeline around them: MiniLM is fitted on nine tenths of train.tsv; the last
tenth (chosen by a hash of the id) is for early stopping, thresholds and calibration; results are those of dev.tsv,
which is not used before. A variant is the default recipe with some settings changed. Each variant and seed is one
training of some ten minutes on two cores, in a process of its own, whose probabilities are saved in the output folder;
results that exist there are not computed again. Thresholds and calibration are compared on the same trainings.

The last line printed is a JSON object: for each variant, mean and standard deviation over its seeds of macro F1, micro
F1, macro AUC and expected calibration error (mean over the labels, ten bins).
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows

_MAX_TOKENS = 64
_RECIPE: dict[str, Any] = {"epochs": 3, "batch_size": 32, "learning_rate": 1e-4}
_VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "zeros": {"head_bias": "zeros"},
    "asymmetric": {"loss": {"kind": "asymmetric"}},
    "focal": {"loss": {"kind": "focal"}},
    "weighted": {"loss": {"kind": "weighted"}},
    "layer_decay": {"layer_decay": 0.9, "learning_rate": 2e-4},
    "faster": {"learning_rate": 2e-4},
    "longer": {"epochs": 5, "patience": 5},
}

Floats = NDArray[np.float32]


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the pipeline does
    arguments = _arguments()
    if arguments.one is not None:
        _train(json.loads(arguments.one), arguments.output)
        return
    if message := missing(arguments.data):
        print(json.dumps({"skipped": message}))
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    if not (arguments.output / "splits.json").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.quality", *_as_options(arguments), "--one", "{}"], check=True)
    results = {}
    for variant in arguments.variants:
        runs = [_run(variant, seed, arguments) for seed in arguments.seeds]
        results[variant] = {
            decision: _aggregate([_score(run, decision) for run in runs]) for decision in _DECISIONS
        } | {"seeds": arguments.seeds, "seconds": [round(float(run["seconds"])) for run in runs]}
        print(f"{variant}: {results[variant]}", file=sys.stderr, flush=True)
    print(json.dumps(results))


# How probabilities become decisions. half: at 0.5; own: at each label's best threshold on the eval split; pooled: at
# that, shrunk towards one threshold for all labels if there are few positives; shrunk: shrunk towards the threshold
# that is expected to be best (the default); shrunk_platt: the default after Platt scaling.
_DECISIONS = ("half", "own", "pooled", "shrunk", "shrunk_platt")


def _score(run: dict[str, Any], decision: str) -> dict[str, float]:
    """Compute the metrics of a run on the test split."""
    from sklearn.metrics import f1_score, roc_auc_score

    from components.trainer.decisions.calibration import fit_platt
    from components.trainer.decisions.reliability import expected_calibration_error
    from components.trainer.decisions.thresholds import best_f_threshold, choose_thresholds

    probabilities = {name: run[f"{name}_probabilities"] for name in ("eval", "test")}
    labels = {name: run[name] for name in ("eval", "test")}
    if decision == "shrunk_platt":
        calibrate = fit_platt(probabilities["eval"], labels["eval"])
        probabilities = {name: calibrate(values) for name, values in probabilities.items()}
    n_labels = labels["test"].shape[1]
    if decision == "half":
        thresholds = np.full(n_labels, 0.5)
    elif decision in ("own", "pooled"):
        thresholds = np.array(
            [best_f_threshold(probabilities["eval"][:, j], labels["eval"][:, j]) for j in range(n_labels)]
        )
        if decision == "pooled":
            thresholds = _shrink_towards_pooled(thresholds, probabilities["eval"], labels["eval"])
    else:
        thresholds = choose_thresholds(probabilities["eval"], labels["eval"])
    predicted = probabilities["test"] > thresholds
    errors = [expected_calibration_error(probabilities["test"][:, j], labels["test"][:, j]) for j in range(n_labels)]
    return {
        "macro_f1": float(f1_score(labels["test"], predicted, average="macro", zero_division=0)),
        "micro_f1": float(f1_score(labels["test"], predicted, average="micro", zero_division=0)),
        "macro_auc": float(roc_auc_score(labels["test"], probabilities["test"], average="macro")),
        "calibration_error": float(np.mean(errors)),
    }


def _shrink_towards_pooled(own: Any, probabilities: Floats, labels: Floats) -> Any:
    """Shrink thresholds, in logits, towards the one of the highest macro F1, half of the way with ten positives."""
    from sklearn.metrics import f1_score

    from components.trainer.decisions.calibration import to_logits

    candidates = np.quantile(probabilities, np.linspace(0.5, 0.999, 99))
    scores = [f1_score(labels, probabilities > candidate, average="macro", zero_division=0) for candidate in candidates]
    pooled = candidates[int(np.argmax(scores))]
    weight = labels.sum(axis=0) / (labels.sum(axis=0) + 10)
    return 1 / (1 + np.exp(-(weight * to_logits(own) + (1 - weight) * to_logits(np.full_like(own, pooled)))))


def _aggregate(scores: list[dict[str, float]]) -> dict[str, list[float]]:
    """Return [mean, standard deviation] over seeds by metric, without the standard deviation if there is one seed."""
    columns = {name: [each[name] for each in scores] for name in scores[0]}
    return {
        name: [round(statistics.mean(values), 4), *([round(statistics.stdev(values), 4)] if len(values) > 1 else [])]
        for name, values in columns.items()
    }


def _run(variant: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, unless the result exists, and return the saved arrays."""
    settings = _RECIPE | _VARIANTS[variant] | {"seed": seed}
    name = f"{variant}-{seed}-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}.npz"
    path = arguments.output / name
    if not path.exists():
        task = json.dumps({"settings": settings, "path": str(path)})
        command = [sys.executable, "-m", "benchmarks.quality", *_as_options(arguments), "--one", task]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    with np.load(path) as arrays:
        return dict(arrays)


def _as_options(arguments: argparse.Namespace) -> list[str]:
    return ["--data", str(arguments.data), "--output", str(arguments.output)]


def _train(task: dict[str, Any], output: Path) -> None:
    """Run one training; with an empty task, write the examples of all trainings."""
    if not task:
        _write_splits(_arguments().data, output)
        return
    from functools import partial

    from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
    from components.trainer.cpu import optimize_training_for_cpu
    from components.trainer.input_pipeline import count_labels, length_grouped_batches, occurring_token_ids
    from components.trainer.loop.fit import fit, predict
    from components.trainer.loop.losses import multi_hot_loss, prior_bias
    from components.trainer.model import build_classifier
    from components.trainer.numerics import set_seeds, use_precision
    from components.trainer.settings import TrainingSettings

    settings = TrainingSettings.model_validate(task["settings"])
    n_labels = json.loads((output / "splits.json").read_text(encoding="utf-8"))["labels"]
    set_seeds(settings)
    with use_precision(settings.precision):
        model = build_classifier(load_backbone(find_checkpoint(BUNDLED)), n_labels, settings.dropout)
    files = {name: [str(output / f"{name}.gz")] for name in ("train", "eval", "test")}
    counts = count_labels(files["train"], n_labels)
    if settings.head_bias == "prior":
        model.layers[-1].bias.assign(prior_bias(counts, settings.loss))
    batches = partial(length_grouped_batches, n_labels=n_labels, batch_size=settings.batch_size)
    started = time.perf_counter()
    loss = multi_hot_loss((), settings.loss, counts, settings.label_smoothing)
    logs = Path(task["path"]).with_suffix("")
    logs.mkdir(exist_ok=True)
    train = batches(files["train"], shuffle_seed=settings.seed)
    find_token_ids = partial(occurring_token_ids, files["train"] + files["eval"], model.backbone.vocabulary_size)
    with optimize_training_for_cpu(model, find_token_ids):
        fit(model, train, batches(files["eval"]), settings, counts.examples, str(logs), loss=loss)
    seconds = time.perf_counter() - started
    arrays: dict[str, Any] = {"seconds": seconds}
    for name in ("eval", "test"):
        arrays[f"{name}_probabilities"], arrays[name] = predict(model, batches(files[name]))
    partial_path = Path(task["path"]).with_suffix(".part.npz")
    np.savez_compressed(partial_path, **arrays)
    partial_path.rename(task["path"])


def _write_splits(data: Path, output: Path) -> None:
    from benchmarks.transformed import write_transformed
    from components.checkpoints.find import BUNDLED, find_checkpoint

    n_labels = len(read_labels(data))
    rows = {name: read_rows(data / f"{name}.tsv") for name in ("train", "dev")}
    splits: dict[str, list[list[str]]] = {"train": [], "eval": [], "test": rows["dev"]}
    for row in rows["train"]:
        splits["eval" if hashlib.sha256(row[2].encode()).digest()[0] < 26 else "train"].append(row)
    for name, chosen in splits.items():
        texts, label_lists = [row[0] for row in chosen], [row[1] for row in chosen]
        write_transformed(output / f"{name}.gz", texts, label_lists, n_labels, find_checkpoint(BUNDLED), _MAX_TOKENS)
    sizes = {name: len(chosen) for name, chosen in splits.items()}
    (output / "splits.json").write_text(json.dumps(sizes | {"labels": n_labels}), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of GoEmotions' tsv files and labels.txt")
    parser.add_argument("--variants", nargs="+", choices=list(_VARIANTS), default=["default"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("build/quality"))
    parser.add_argument("--one", help=argparse.SUPPRESS)  # set in the process of a training
    return parser.parse_args()


if __name__ == "__main__":
    main()
