"""Benchmark of `suspects`: how many planted label errors are among the first N, on GoEmotions.

    python -m benchmarks.suspects [--data FOLDER] [--folds 5] [--seeds 0 1 2]

Errors are planted in train.tsv in two ways. `given`: as many answers are flipped as 5 % of the labels that were given,
half of them given labels that are taken away and half labels that are added, drawn at random. `answers`: 5 % of all
answers are flipped, for each text and label one; nearly all of these add a label. The encoder reads each text once; the
heads, the folds and the ranking are those of `bert-multilabel suspects`. Beside it: a plain ranking of all answers by
their loss under the same probabilities, and chance.

GoEmotions has errors of its own, which nobody knows: a suspect that was not planted may be right, so that precision
is a lower bound. The last line printed is a JSON object: for each way and ranking, mean over the seeds of precision and
recall of the first N.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.goemotions import GOEMOTIONS, missing, read_labels, read_rows
from benchmarks.transformed import write_transformed
from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
from components.example_gen.splitting import fold, stable_hash
from components.suspects.encoding import encoder_vectors
from components.suspects.folds import assign_folds
from components.suspects.out_of_fold import out_of_fold_probabilities
from components.suspects.ranking import rank_suspects
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.loop.pooled import Pooled
from schema.features import NO_GROUP

_MAX_TOKENS = 64  # as in configs/goemotions.yaml
_SHARE = 0.05
_BATCH = 128

Answers = NDArray[np.int8]


def main() -> None:
    arguments = _arguments()
    if message := missing(arguments.data):
        sys.stdout.write(json.dumps({"benchmark": "suspects", "not_run": message}) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        result = _measure(arguments, folder)
    sys.stdout.write(json.dumps({"benchmark": "suspects", **result}) + "\n")


def _measure(arguments: argparse.Namespace, folder: str) -> dict[str, Any]:
    started = time.process_time()
    train, text_keys = _encode(arguments.data / "train.tsv", folder, arguments.texts)
    evaluation, _ = _encode(arguments.data / "dev.tsv", folder, arguments.texts)
    result: dict[str, Any] = {
        "texts": len(train), "labels": int(train.labels.shape[1]), "folds": arguments.folds,
        "encoding_cpu_s": round(time.process_time() - started, 1),
    }  # fmt: skip
    fold_of = assign_folds(text_keys, np.full(len(train), NO_GROUP), arguments.folds)
    for name, plant in (("given", _plant_in_given), ("answers", _plant_in_answers)):
        runs = []
        for seed in arguments.seeds:
            planted = plant(train.labels, np.random.default_rng(seed))
            runs.append(_search(train, evaluation, planted, fold_of, f"{folder}/{name}-{seed}"))
            print(name, seed, runs[-1], file=sys.stderr, flush=True)
        result[name] = _mean(runs)
    return result


def _search(
    train: Pooled, evaluation: Pooled, planted: NDArray[np.bool_], fold_of: NDArray[np.int64], folder: str
) -> dict[str, Any]:
    """Search for planted errors; return precision and recall of the first N by ranking."""
    started = time.process_time()
    given = train.labels ^ planted.astype(np.int8)
    probabilities = out_of_fold_probabilities(Pooled(train.outputs, given), evaluation, fold_of, (), folder)
    heads_s = time.process_time() - started
    ranking = rank_suspects(given, probabilities, set())
    by_loss = np.argsort(np.where(given == 1, probabilities, 1 - probabilities), axis=None, kind="stable")
    n_planted = int(planted.sum())
    return {
        "planted": n_planted,
        "heads_cpu_s": heads_s,
        "found": len(ranking.rows),
        "chance": n_planted / planted.size,
        "suspects": _of_first(planted[ranking.rows, ranking.columns], n_planted),
        "loss": _of_first(planted.ravel()[by_loss], n_planted),
    }


def _of_first(hits: NDArray[np.bool_], n_planted: int) -> dict[str, dict[str, float]]:
    """Return precision and recall of the first 100, 1,000, half as many as were planted, as many, and twice as many."""
    total = np.cumsum(hits)
    sizes = sorted({100, 1_000, n_planted // 2, n_planted, 2 * n_planted})
    return {
        str(size): {"precision": float(total[size - 1] / size), "recall": float(total[size - 1] / n_planted)}
        for size in sizes
        if size <= len(hits)
    }


def _plant_in_given(labels: Answers, rng: np.random.Generator) -> NDArray[np.bool_]:
    half = int(_SHARE * labels.sum()) // 2
    planted = np.zeros(labels.size, bool)
    for answer in (0, 1):
        planted[rng.choice(np.flatnonzero(labels.ravel() == answer), half, replace=False)] = True
    return planted.reshape(labels.shape)


def _plant_in_answers(labels: Answers, rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.random(labels.shape) < _SHARE


def _encode(path: Path, folder: str, limit: int | None) -> tuple[Pooled, NDArray[np.uint64]]:
    """Encode the texts of a tsv file; return vectors and labels, and the key of each text."""
    lines = read_rows(path, limit)
    n_labels, checkpoint = len(read_labels(path.parent)), find_checkpoint(BUNDLED)
    # Texts of similar length are encoded together. The order of the texts does not matter otherwise.
    lines.sort(key=lambda line: len(line[0]))
    texts = [line[0] for line in lines]
    ids, multi_hot = write_transformed(
        Path(f"{folder}/{path.stem}.gz"), texts, [line[1] for line in lines], n_labels, checkpoint, _MAX_TOKENS
    )
    backbone = load_backbone(checkpoint)
    forward = tf.function(lambda inputs: encoder_vectors(backbone, inputs), reduce_retracing=True)
    outputs = [
        forward(encoder_inputs(tf.ragged.constant(ids[start : start + _BATCH]))).numpy()
        for start in range(0, len(ids), _BATCH)
    ]
    keys = np.array([stable_hash(fold(text)) for text in texts], np.uint64)
    return Pooled(np.concatenate(outputs), multi_hot.astype(np.int8)), keys


def _mean(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over runs of every number, rounded."""
    return {
        key: _mean([run[key] for run in runs if key in run])
        if isinstance(value, dict)
        else round(statistics.mean(run[key] for run in runs), 4)
        for key, value in runs[0].items()
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GOEMOTIONS, help="folder of train.tsv, dev.tsv and labels.txt")
    parser.add_argument("--texts", type=int, help="number of texts of each split; all by default")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


if __name__ == "__main__":
    main()
