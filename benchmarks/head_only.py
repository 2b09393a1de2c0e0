"""Benchmark of `trainable: head` on GoEmotions: seconds to encode train.tsv once, and seconds per epoch.

Run it from the repository's root with `python -m`. The last line printed is a JSON object, also if the data is missing.
It times what the Trainer does: transformed examples are read from files in length-grouped batches and encoded once, and
`fit` iterates over their pooled outputs. Losses and areas under curves are those of dev.tsv.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows
from benchmarks.transformed import write_transformed
from components.checkpoints.find import Checkpoint, find_checkpoint, load_backbone
from components.trainer.input_pipeline import count_labels, length_grouped_batches
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.losses import multi_hot_loss, prior_bias
from components.trainer.loop.pooled import head_over_pooled
from components.trainer.loop.trainable import freeze
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings

_MAX_TOKENS = 64  # as in configs/goemotions.yaml


def main() -> None:
    arguments = _arguments()
    if message := missing(arguments.data):
        sys.stdout.write(json.dumps({"benchmark": "head_only", "not_run": message}) + "\n")
        return
    logging.basicConfig(format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        result = _measure(arguments, Path(folder))
    result |= {"cpus": len(os.sched_getaffinity(0)), "load_average": os.getloadavg()[0]}
    sys.stdout.write(json.dumps({"benchmark": "head_only", **result}) + "\n")


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    settings = TrainingSettings(
        trainable="head",
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        patience=arguments.epochs,
        pooling=arguments.pooling,
    )
    keras.utils.set_random_seed(settings.seed)
    n_labels = len(read_labels(arguments.data))
    checkpoint = find_checkpoint("minilm-l6")
    for split in ("train", "dev"):
        _write_examples(arguments.data / f"{split}.tsv", folder / f"{split}.gz", checkpoint, n_labels, arguments.texts)
    train, evaluation = ([str(folder / f"{split}.gz")] for split in ("train", "dev"))
    counts = count_labels(train, n_labels)

    model = build_classifier(load_backbone(checkpoint), n_labels, settings.dropout, settings.pooling_of(checkpoint))
    freeze(model, settings.trainable)
    model.layers[-1].bias.assign(prior_bias(counts, settings.loss))
    started_at = time.perf_counter()
    head, train_batches, eval_batches = head_over_pooled(
        model,
        length_grouped_batches(train, n_labels, settings.batch_size, shuffle_seed=settings.seed),
        length_grouped_batches(evaluation, n_labels, settings.batch_size),
        settings,
        str(folder),
    )
    encoded_at = time.perf_counter()
    fit(head, train_batches, eval_batches, settings, counts.examples, str(folder), loss=multi_hot_loss())
    fitted_at = time.perf_counter()
    probabilities, labels = predict(head, eval_batches)
    history = json.loads((folder / "history.json").read_text())
    return {
        "texts": counts.examples,
        "epochs": len(history["loss"]),
        "learning_rate": settings.peak_learning_rate,
        "encoding_s": round(encoded_at - started_at, 1),
        "epoch_s": round((fitted_at - encoded_at) / len(history["loss"]), 2),
        "eval_loss": round(min(history["val_loss"]), 4),
        "eval_macro_auc": round(
            float(np.mean([roc_auc_score(*pair) for pair in zip(labels.T, probabilities.T, strict=True)])), 4
        ),
    }


def _write_examples(source: Path, path: Path, checkpoint: Checkpoint, n_labels: int, limit: int | None) -> None:
    """Write rows of a tsv file as Transform would, as token ids and multi-hot labels."""
    lines = read_rows(source, limit)
    texts, label_lists = [line[0] for line in lines], [line[1] for line in lines]
    write_transformed(path, texts, label_lists, n_labels, checkpoint, _MAX_TOKENS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of train.tsv, dev.tsv and labels.txt")
    parser.add_argument("--texts", type=int, help="number of texts of each split; all by default")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, help="instead of the default for the head alone")
    parser.add_argument("--pooling", default="auto", help="auto, cls, mean or max")
    return parser.parse_args()


if __name__ == "__main__":
    main()
