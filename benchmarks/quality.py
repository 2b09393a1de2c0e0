"""Benchmark of the model's quality on GoEmotions, on the authors' own protocol, and of each part of the recipe.

    python -m benchmarks.quality [--test FILE] [--variants recipe cls ...] [--seeds 0 1 2] [--concatenated N] [--peer]

The authors' train.tsv is for gradients, dev.tsv for early stopping, thresholds and every choice between variants, and
`--test FILE` (their test.tsv) for the results alone. Without a file, the last tenth of train.tsv is the test split, and
is used for nothing else. The Trainer's own steps run without the pipeline around them.

The recipe is section `training` of configs/goemotions.yaml; a variant changes some of its settings. Each variant and
seed is one training of some ten minutes on two quiet cores, in a process of its own, whose probabilities are saved in
the output folder: what exists there is not computed again, so the command may be killed and repeated. Decision rules
are compared on the same trainings.

`--peer` measures Transformers on PyTorch beside it (`benchmarks/peer_quality.py`), with the same chances: the same
texts, checkpoint, batches and epochs, of which the best on the eval split counts; the head's bias at the log odds; the
best of two learning rates on the eval split, chosen by the first seed; the same rule for the thresholds.

`--concatenated 5` is data of another shape: longer texts with more labels each, five comments that follow each other in
a file and the labels of all of them.

The last line printed is a JSON object. For each variant: `eval_macro_f1`, by which variants are chosen (thresholds from
one half of the eval split, applied to the other); by decision rule, mean and standard deviation over the seeds of macro
F1, micro F1, macro AUC and expected calibration error on the test split; the same of the mean of the seeds'
probabilities, `ensemble`, which is what a distillation could reach; and, for the first seed, each label's F1, and its
recall on the test split with a 95 % interval at the threshold that keeps `--precision` on the eval split.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows
from benchmarks.peer import FOLDER, peer_python
from benchmarks.quality_scores import (
    DECISIONS,
    Run,
    aggregate,
    best_epoch,
    choose,
    cross_checked_macro_f1,
    label_scores,
    score,
)

_CONFIG = Path(__file__).parents[1] / "configs" / "goemotions.yaml"
_VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "cls": {"pooling": "cls"},
    "max": {"pooling": "max"},
    "attention": {"pooling": "attention"},
    "last_weights": {"average_epochs": 0.0},
    "lowest_loss": {"monitor": "loss"},
    "smaller": {"batch_size": 32, "learning_rate": 2e-4, "epochs": 3},
    "before": {
        "pooling": "cls",
        "batch_size": 32,
        "learning_rate": 2e-4,
        "epochs": 3,
        "patience": 2,
        "average_epochs": 0.0,
        "monitor": "loss",
    },
    "longer": {"epochs": 5, "patience": 5},
    "one_rate": {"layer_decay": 1.0},
    "zeros": {"head_bias": "zeros"},
    "asymmetric": {"loss": {"kind": "asymmetric"}},
}
_PEER = "peer"
_PEER_RATES = (2e-4, 3e-4)


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the pipeline does
    arguments = _arguments()
    if arguments.one is not None:
        task = json.loads(arguments.one)
        _train(task) if "settings" in task else _write_splits(task)
        return
    if message := missing(arguments.data):
        print(json.dumps({"skipped": message}))
        return
    labels = read_labels(arguments.data)
    splits = _find_splits(arguments)
    results: dict[str, Any] = {}
    for name in [*arguments.variants, *([_PEER] if arguments.peer else [])]:
        if name == _PEER:
            runs = _run_peer(splits, arguments)
        else:
            runs = [_run(name, seed, splits, arguments) for seed in arguments.seeds]
        results[name] = _summarize(runs, labels, arguments)
        print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    print(json.dumps(results))


def _summarize(runs: list[Run], labels: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {
        "seeds": arguments.seeds,
        "seconds": [round(float(run["seconds"])) for run in runs],
        "eval_macro_f1": aggregate([{"macro_f1": cross_checked_macro_f1(run)} for run in runs])["macro_f1"],
    }
    found |= {decision: aggregate([score(run, decision) for run in runs]) for decision in DECISIONS}
    if len(runs) > 1:
        mean = {
            f"{name}_probabilities": np.mean([run[f"{name}_probabilities"] for run in runs], axis=0)
            for name in ("eval", "test")
        }
        found["ensemble"] = aggregate([score(runs[0] | mean, "shrunk")])
    return found | {"labels": label_scores(runs[0], labels, arguments.precision)}


def _run(variant: str, seed: int, splits: Path, arguments: argparse.Namespace) -> Run:
    """Train, unless the result exists, and return the saved arrays."""
    recipe = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))["training"]
    settings = recipe | _VARIANTS[variant] | {"seed": seed}
    path = splits / f"{variant}-{seed}-{_digest(json.dumps(settings, sort_keys=True))}.npz"
    if not path.exists():
        _start({"settings": settings, "splits": str(splits), "path": str(path)}, arguments)
    return _read(path)


def _run_peer(splits: Path, arguments: argparse.Namespace) -> list[Run]:
    """Train the peer with the first seed at both learning rates, and with all seeds at the better one."""
    recipe = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))["training"]
    first, *others = arguments.seeds

    def run(rate: float, seed: int) -> Run:
        job = {name: recipe[name] for name in ("epochs", "batch_size")} | {"learning_rate": rate, "seed": seed}
        path = splits / f"{_PEER}-{seed}-{_digest(json.dumps(job, sort_keys=True))}.npz"
        if not path.exists():
            from components.checkpoints.find import BUNDLED, find_checkpoint

            job |= {"splits": str(splits), "path": str(path), "model": str(find_checkpoint(BUNDLED).folder)}
            job |= {"threads": os.cpu_count(), "bfloat16": _has_bfloat16()}
            command = [
                str(peer_python(arguments.peer)),
                str(Path(__file__).with_name("peer_quality.py")),
                json.dumps(job),
            ]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return best_epoch(_read(path))

    tried = {rate: run(rate, first) for rate in _PEER_RATES}
    best = choose(tried)
    print(f"{_PEER}: learning rate {best}", file=sys.stderr, flush=True)
    return [tried[best], *(run(best, seed) for seed in others)]


def _read(path: Path) -> Run:
    with np.load(path) as arrays:
        return dict(arrays)


def _has_bfloat16() -> bool:
    from components.trainer.numerics import is_bfloat16_faster

    return is_bfloat16_faster()


def _start(task: dict[str, Any], arguments: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "benchmarks.quality", "--data", str(arguments.data), "--one", json.dumps(task)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _find_splits(arguments: argparse.Namespace) -> Path:
    """Return the folder of the transformed splits and of the trainings on them, which is written unless it exists."""
    name = "held_out" if arguments.test is None else _digest(arguments.test.read_text(encoding="utf-8"))
    if arguments.concatenated > 1:
        name = f"{name}-{arguments.concatenated}"
    folder: Path = arguments.output / name
    if not (folder / "splits.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        test = arguments.test and str(arguments.test)
        _start({"splits": str(folder), "test": test, "concatenated": arguments.concatenated}, arguments)
    return folder


def _write_splits(task: dict[str, Any]) -> None:
    """Write the examples of all trainings, for both sides."""
    from benchmarks.transformed import write_transformed
    from components.checkpoints.find import BUNDLED, find_checkpoint

    data, folder = _arguments().data, Path(task["splits"])
    n_labels = len(read_labels(data))
    train, dev = read_rows(data / "train.tsv"), read_rows(data / "dev.tsv")
    n_train = len(train) if task["test"] else len(train) - len(train) // 10
    test = read_rows(Path(task["test"])) if task["test"] else train[n_train:]
    splits = {"train": train[:n_train], "eval": dev, "test": test}
    n_joined = task["concatenated"]
    for name, rows in splits.items():
        groups = [rows[start : start + n_joined] for start in range(0, len(rows), n_joined)]
        texts = [" ".join(row[0] for row in group) for group in groups]
        label_lists = [",".join(row[1] for row in group) for group in groups]
        max_tokens = 32 * (n_joined + 1)
        ids, labels = write_transformed(
            folder / f"{name}.gz", texts, label_lists, n_labels, find_checkpoint(BUNDLED), max_tokens
        )
        lengths = np.array([len(each) for each in ids], np.int64)
        np.savez(folder / f"{name}-ids.npz", ids=np.concatenate(ids).astype(np.int64), lengths=lengths, labels=labels)
    sizes = {name: len(rows) for name, rows in splits.items()}
    (folder / "splits.json").write_text(json.dumps(sizes | {"labels": n_labels}), encoding="utf-8")


def _train(task: dict[str, Any]) -> None:
    """Run one training, as `run_fn` does, and save the probabilities of the eval and the test split."""
    from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
    from components.trainer.cpu import optimize_training_for_cpu
    from components.trainer.decisions.scores import Scorer
    from components.trainer.input_pipeline import count_labels, length_grouped_batches, occurring_token_ids
    from components.trainer.loop.fit import fit, predict
    from components.trainer.loop.losses import multi_hot_loss, prior_bias
    from components.trainer.loop.trainable import freeze
    from components.trainer.model import build_classifier, plain_copy
    from components.trainer.numerics import set_seeds, use_precision
    from components.trainer.settings import TrainingSettings

    settings, splits = TrainingSettings.model_validate(task["settings"]), Path(task["splits"])
    n_labels = json.loads((splits / "splits.json").read_text(encoding="utf-8"))["labels"]
    set_seeds(settings)
    checkpoint = find_checkpoint(BUNDLED)
    with use_precision(settings.precision):
        backbone = load_backbone(checkpoint)
        model = build_classifier(backbone, n_labels, settings.dropout, settings.pooling_of(checkpoint))
    freeze(model, settings.trainable)
    files = {name: [str(splits / f"{name}.gz")] for name in ("train", "eval", "test")}
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
        fit(
            model, train, batches(files["eval"]), settings, counts.examples, str(logs), loss=loss,
            scorer=Scorer([str(column) for column in range(n_labels)], settings.thresholds),
        )  # fmt: skip
    arrays: dict[str, Any] = {"seconds": time.perf_counter() - started}
    # In float32, as the exported model.
    served = plain_copy(model)
    for name in ("eval", "test"):
        arrays[f"{name}_probabilities"], arrays[name] = predict(served, batches(files[name]))
    partial_path = Path(task["path"]).with_suffix(".part.npz")
    np.savez_compressed(partial_path, **arrays)
    partial_path.rename(task["path"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of GoEmotions' tsv files and labels.txt")
    parser.add_argument("--test", type=Path, help="the authors' test.tsv; otherwise the last tenth of train.tsv")
    parser.add_argument("--variants", nargs="*", choices=list(_VARIANTS), default=["recipe"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--concatenated", type=int, default=1, help="comments that make one text")
    parser.add_argument("--peer", type=Path, nargs="?", const=FOLDER, help="measure the peer, in this environment")
    parser.add_argument("--precision", type=float, default=0.6, help="of each label, at which its recall is reported")
    parser.add_argument("--output", type=Path, default=Path("build/quality"))
    parser.add_argument("--one", help=argparse.SUPPRESS)  # set in the process of a training
    return parser.parse_args()


if __name__ == "__main__":
    main()
