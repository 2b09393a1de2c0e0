"""Benchmark of labels that nobody knows: half of one label of GoEmotions is masked at random.

Run it from the repository's root with `python -m`. The last line printed is a JSON object, also if the data is missing.
The head is trained on pooled outputs three times with several seeds: with the label unknown in the masked rows, without
these rows, and with the masked rows taken for "no", which is what happens to data that cannot say "unknown". Areas and
losses are those of the label on dev.tsv, all of whose labels are known.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows
from benchmarks.transformed import write_transformed
from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.input_pipeline import length_grouped_batches
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.label_counts import LabelCounts
from components.trainer.loop.losses import multi_hot_loss, prior_bias
from components.trainer.loop.pooled import Pooled, encode, head_alone
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings

_MAX_TOKENS = 64  # as in configs/goemotions.yaml
_WAYS = ("unknown", "without_rows", "taken_for_no")


def main() -> None:
    arguments = _arguments()
    if message := missing(arguments.data):
        sys.stdout.write(json.dumps({"benchmark": "partial_labels", "not_run": message}) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        result = _measure(arguments, Path(folder))
    sys.stdout.write(json.dumps({"benchmark": "partial_labels", **result}) + "\n")


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    names = read_labels(arguments.data)
    column = names.index(arguments.label)
    checkpoint = find_checkpoint("minilm-l6")
    keras.utils.set_random_seed(0)
    model = build_classifier(load_backbone(checkpoint), len(names), 0.1)
    splits = []
    for split, limit in (("train", arguments.texts), ("dev", None)):
        rows = read_rows(arguments.data / f"{split}.tsv", limit)
        path = folder / f"{split}.gz"
        write_transformed(path, [row[0] for row in rows], [row[1] for row in rows], len(names), checkpoint, _MAX_TOKENS)
        splits.append(encode(model, length_grouped_batches([str(path)], len(names), 32), str(folder)))
    train, evaluation = splits
    measured: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
    for seed in range(arguments.seeds):
        masked = np.random.default_rng(seed).random(len(train.labels)) < 0.5
        for way in _WAYS:
            data = _masked(train, masked, column, way)
            probabilities, truth = _learn(model, data, evaluation, seed, arguments.epochs, folder / f"{way}{seed}")
            measured[way].append(_scores(truth[:, column], probabilities[:, column]))
    return {
        "label": arguments.label,
        "texts": len(train.labels),
        "positives": int(train.labels[:, column].sum()),
        **{way: _summarize(scores) for way, scores in measured.items()},
    }


def _masked(train: Pooled, masked: NDArray[np.bool_], column: int, way: str) -> Pooled:
    if way == "without_rows":
        return Pooled(train.outputs[~masked], train.labels[~masked])
    labels = train.labels.copy()
    labels[masked, column] = -1 if way == "unknown" else 0
    return Pooled(train.outputs, labels)


def _learn(
    model: Any, train: Pooled, evaluation: Pooled, seed: int, epochs: int, folder: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    labels = np.asarray(train.labels, np.float64)
    counts = LabelCounts(len(labels), np.maximum(labels, 0).sum(axis=0), (labels < 0).sum(axis=0).astype(np.float64))
    settings = TrainingSettings(trainable="head", epochs=epochs, seed=seed)
    keras.utils.set_random_seed(seed)
    head = head_alone(model)
    kernel, _ = model.layers[-1].get_weights()
    initial = np.random.default_rng(seed).normal(0, 0.02, kernel.shape)
    model.layers[-1].set_weights([initial, prior_bias(counts, settings.loss)])
    known = counts.known_per_example if counts.has_unknown else None
    batches = evaluation.batches(settings.batch_size)
    fit(
        head, train.batches(settings.batch_size, seed), batches, settings, counts.examples, str(folder),
        loss=multi_hot_loss(known_per_example=known), eval_loss=multi_hot_loss(),
    )  # fmt: skip
    return predict(head, batches)


def _scores(truth: NDArray[np.float32], probabilities: NDArray[np.float32]) -> dict[str, float]:
    return {
        "auc": float(roc_auc_score(truth, probabilities)),
        "pr_auc": float(average_precision_score(truth, probabilities)),
        "loss": float(log_loss(truth, probabilities)),
    }


def _summarize(scores: list[dict[str, float]]) -> dict[str, list[float]]:
    """Return the mean and the standard deviation over the seeds of each score."""
    values = {name: [each[name] for each in scores] for name in scores[0]}
    return {name: [round(float(np.mean(each)), 4), round(float(np.std(each)), 4)] for name, each in values.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of train.tsv, dev.tsv and labels.txt")
    parser.add_argument("--label", default="gratitude", help="label of which half is masked")
    parser.add_argument("--texts", type=int, help="number of texts of train.tsv; all by default")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()
