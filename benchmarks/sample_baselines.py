"""Score simple baselines on the sample: label frequencies, and TF-IDF with logistic regression.

    python benchmarks/sample_baselines.py [--train CSV] [--test CSV]

The last line of the output is one JSON object: {"rows": ..., "baselines": {name: {"macro_f1", "micro_f1",
"macro_auc", "per_label": {label: {"f1", "auc", "threshold", "support"}}}}}. The test file is used for
scoring only: vocabulary, regularisation and thresholds come from train.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
SEED = 0
HELD_OUT = 0.2
INVERSE_REGULARISATION = (1.0, 10.0, 100.0)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Texts and their labels; the labels of a row are a set of names."""

    texts: list[str]
    labels: list[frozenset[str]]

    def subset(self, rows: Ints) -> Examples:
        return Examples([self.texts[i] for i in rows], [self.labels[i] for i in rows])

    def multi_hot(self, names: list[str]) -> Ints:
        """Return the labels as 0 and 1. Shape: (n_examples, n_labels)."""
        return np.array([[int(name in row) for name in names] for row in self.labels], np.int64)


def read_examples(path: Path) -> Examples:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Examples(
        texts=[row["text"] for row in rows],
        labels=[frozenset(filter(None, row["labels"].split("|"))) for row in rows],
    )


def best_thresholds(truth: Ints, scores: Floats) -> Floats:
    """Return the threshold of each label that maximises its F1. Shape: (n_labels,).

    Candidates are halfway between neighbouring scores, so that none depends on rounding.
    """
    thresholds = []
    for label_truth, label_scores in zip(truth.T, scores.T, strict=True):
        levels = np.unique(label_scores)
        candidates = np.concatenate([levels[:1] / 2, (levels[1:] + levels[:-1]) / 2])
        f1s = [f1_score(label_truth, label_scores >= candidate, zero_division=0) for candidate in candidates]
        thresholds.append(candidates[int(np.argmax(f1s))])
    return np.array(thresholds)


def label_frequencies(train: Examples, test: Examples, names: list[str], average: str) -> tuple[Floats, Floats]:
    """Predict each label's frequency in train for every text.

    A label is thus assigned to all messages or to none, depending on whether its frequency reaches the threshold.

    Args:
        train: Examples that frequencies and threshold come from.
        test: Examples to score.
        names: The labels.
        average: "macro" or "micro": the F1 that the threshold maximises on train. No threshold is best for both.

    Returns:
        The scores on test, shape (n_examples, n_labels), and the thresholds, shape (n_labels,).
    """
    truth = train.multi_hot(names)
    frequencies = truth.mean(axis=0)
    scores = np.tile(frequencies, (len(truth), 1))
    f1s = [f1_score(truth, scores >= frequency, average=average, zero_division=0) for frequency in frequencies]
    threshold = frequencies[int(np.argmax(f1s))]
    return np.tile(frequencies, (len(test.texts), 1)), np.full(len(names), threshold)


def tfidf_model(inverse_regularisation: float) -> Pipeline:
    """Return a model of words, word pairs and character n-grams, which tolerate typos and cover Chinese."""
    features = FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)),
            (
                "characters",
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
            ),
        ]
    )
    classifier = LogisticRegression(
        C=inverse_regularisation, class_weight="balanced", solver="liblinear", random_state=SEED
    )
    return make_pipeline(features, OneVsRestClassifier(classifier))


def tfidf_logistic_regression(train: Examples, test: Examples, names: list[str]) -> tuple[Floats, Floats]:
    """Choose regularisation and thresholds on a held-out fifth of train, then fit on all of it.

    Returns:
        The scores on test, shape (n_examples, n_labels), and the thresholds, shape (n_labels,).
    """
    order = np.random.default_rng(SEED).permutation(len(train.texts))
    cut = round(len(order) * HELD_OUT)
    held_out, rest = train.subset(order[:cut]), train.subset(order[cut:])
    truth = held_out.multi_hot(names)
    trials = []
    for inverse_regularisation in INVERSE_REGULARISATION:
        model = tfidf_model(inverse_regularisation)
        scores = model.fit(rest.texts, rest.multi_hot(names)).predict_proba(held_out.texts)
        thresholds = best_thresholds(truth, scores)
        macro_f1 = f1_score(truth, scores >= thresholds, average="macro", zero_division=0)
        trials.append((macro_f1, inverse_regularisation, thresholds))
        print(f"tfidf: C={inverse_regularisation:g}, held-out macro F1 {macro_f1:.3f}", flush=True)
    _, inverse_regularisation, thresholds = max(trials, key=lambda trial: trial[0])
    model = tfidf_model(inverse_regularisation).fit(train.texts, train.multi_hot(names))
    return model.predict_proba(test.texts), thresholds


def metrics(truth: Ints, scores: Floats, thresholds: Floats, names: list[str]) -> dict[str, Any]:
    """Return the metrics of one baseline. The AUC of a label without positives or without negatives is None."""
    predicted = scores >= thresholds
    f1s = f1_score(truth, predicted, average=None, zero_division=0)
    aucs = [
        round(float(roc_auc_score(column, label_scores)), 4) if 0 < column.sum() < len(column) else None
        for column, label_scores in zip(truth.T, scores.T, strict=True)
    ]
    defined = [auc for auc in aucs if auc is not None]
    return {
        "macro_f1": round(float(np.mean(f1s)), 4),
        "micro_f1": round(float(f1_score(truth, predicted, average="micro", zero_division=0)), 4),
        "macro_auc": round(float(np.mean(defined)), 4) if defined else None,
        "per_label": {
            name: {
                "f1": round(float(f1s[i]), 4),
                "auc": aucs[i],
                "threshold": round(float(thresholds[i]), 4),
                "support": int(truth[:, i].sum()),
            }
            for i, name in enumerate(names)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the simple baselines on a test CSV.")
    for split in ("train", "test"):
        parser.add_argument(
            f"--{split}",
            type=Path,
            default=SAMPLE / split / "messages.csv",
            metavar="CSV",
            help="file with the columns text and labels, joined by | (default: %(default)s)",
        )
    arguments = parser.parse_args()
    train, test = read_examples(arguments.train), read_examples(arguments.test)
    names = sorted(frozenset[str]().union(*train.labels))
    truth = test.multi_hot(names)
    predictions = {
        "label_frequencies_for_macro_f1": label_frequencies(train, test, names, "macro"),
        "label_frequencies_for_micro_f1": label_frequencies(train, test, names, "micro"),
        "tfidf_logistic_regression": tfidf_logistic_regression(train, test, names),
    }
    baselines = {name: metrics(truth, *prediction, names) for name, prediction in predictions.items()}
    rows = {"train": len(train.texts), "test": len(test.texts)}
    print(json.dumps({"rows": rows, "baselines": baselines}))


if __name__ == "__main__":
    main()
