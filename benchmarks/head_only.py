"""Seconds of an epoch with `trainable: head` on GoEmotions' train.tsv: the first, which encodes every text, and later.

Run it from the repository's root with `python -m`. The last line printed is one JSON object; where the data is not
there, it says so. What is timed is what the Trainer does: transformed examples in files, in length-grouped batches,
through the encoder once and then, epoch by epoch, through `fit`. Losses and areas are those of dev.tsv.
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
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from components.preprocessing.features import LABELS, TOKEN_IDS
from components.preprocessing.tokenizer import BertTokenizer
from components.preprocessing.vocabulary import read_vocabulary
from components.trainer.checkpoint import Checkpoint, find_checkpoint, load_backbone
from components.trainer.fit import fit, predict
from components.trainer.input_pipeline import count_labels, length_grouped_batches
from components.trainer.losses import multi_hot_loss, prior_bias
from components.trainer.model import build_classifier
from components.trainer.pooled import head_over_pooled
from components.trainer.settings import TrainingSettings
from components.trainer.trainable import freeze

_MAX_TOKENS = 64  # as configs/goemotions.yaml


def main() -> None:
    arguments = _arguments()
    if not (arguments.data / "train.tsv").is_file():
        message = f"no train.tsv in {arguments.data}: `python -m benchmarks.fetch_goemotions FOLDER` fetches it"
        sys.stdout.write(json.dumps({"benchmark": "head_only", "not_run": message}) + "\n")
        return
    logging.basicConfig(format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        result = _measured(arguments, Path(folder))
    result |= {"cpus": len(os.sched_getaffinity(0)), "load_average": os.getloadavg()[0]}
    sys.stdout.write(json.dumps({"benchmark": "head_only", **result}) + "\n")


def _measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    settings = TrainingSettings(
        trainable="head", epochs=arguments.epochs, learning_rate=arguments.learning_rate, patience=arguments.epochs
    )
    keras.utils.set_random_seed(settings.seed)
    n_labels = len((arguments.data / "labels.txt").read_text(encoding="utf-8").split())
    checkpoint = find_checkpoint("minilm-l6")
    for split in ("train", "dev"):
        _write_examples(arguments.data / f"{split}.tsv", folder / f"{split}.gz", checkpoint, n_labels, arguments.texts)
    train, evaluation = ([str(folder / f"{split}.gz")] for split in ("train", "dev"))
    counts = count_labels(train, n_labels)

    model = build_classifier(load_backbone(checkpoint), n_labels, settings.dropout)
    freeze(model, settings.trainable)
    model.layers[-1].bias.assign(prior_bias(counts, settings.loss))
    started = time.perf_counter()
    head, train_batches, eval_batches = head_over_pooled(
        model,
        length_grouped_batches(train, n_labels, settings.batch_size, shuffle_seed=settings.seed),
        length_grouped_batches(evaluation, n_labels, settings.batch_size),
        settings,
        str(folder),
    )
    encoded = time.perf_counter()
    fit(head, train_batches, eval_batches, settings, counts.examples, str(folder), loss=multi_hot_loss())
    fitted = time.perf_counter()
    probabilities, labels = predict(head, eval_batches)
    history = json.loads((folder / "history.json").read_text())
    return {
        "texts": counts.examples,
        "epochs": len(history["loss"]),
        "learning_rate": settings.peak_learning_rate,
        "encoding_s": round(encoded - started, 1),
        "epoch_s": round((fitted - encoded) / len(history["loss"]), 2),
        "eval_loss": round(min(history["val_loss"]), 4),
        "eval_macro_auc": round(
            float(np.mean([roc_auc_score(*pair) for pair in zip(labels.T, probabilities.T, strict=True)])), 4
        ),
    }


def _write_examples(rows: Path, path: Path, checkpoint: Checkpoint, n_labels: int, most: int | None) -> None:
    """As Transform writes them: token ids and multi-hot labels."""
    lines = [line.split("\t") for line in rows.read_text(encoding="utf-8").split("\n") if line][:most]
    vocabulary = read_vocabulary(str(checkpoint.vocabulary))
    tokenizer = BertTokenizer(vocabulary, lower_case=checkpoint.lower_case, max_tokens=_MAX_TOKENS)
    ids = tokenizer(tf.constant([text for text, *_ in lines]))
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for token_ids, (_, given, *_) in zip(ids.to_list(), lines, strict=True):
            labels = np.zeros(n_labels, np.float32)
            labels[[int(label) for label in given.split(",")]] = 1
            features = {
                TOKEN_IDS: tf.train.Feature(int64_list=tf.train.Int64List(value=token_ids)),
                LABELS: tf.train.Feature(float_list=tf.train.FloatList(value=labels)),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _arguments() -> argparse.Namespace:
    goemotions = Path(os.environ.get("GOEMOTIONS_DIR", "../shared/data/goemotions"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=goemotions, help="folder of train.tsv, dev.tsv and labels.txt")
    parser.add_argument("--texts", type=int, help="only so many of each split")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, help="instead of the default for a lone head")
    return parser.parse_args()


if __name__ == "__main__":
    main()
