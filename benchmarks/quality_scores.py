"""Decision rules and scores of `benchmarks.quality`, on saved probabilities of a training."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluation.metrics.proportions import proportion_interval
from components.trainer.decisions.calibration import fit_platt, to_logits
from components.trainer.decisions.reliability import expected_calibration_error
from components.trainer.decisions.scores import Scorer
from components.trainer.decisions.settings import MinPrecision
from components.trainer.decisions.thresholds import best_f_threshold, choose_thresholds

Floats = NDArray[np.float32]

# Arrays of a training: seconds; eval, test (labels [n, n_labels]); eval_probabilities, test_probabilities.
Run = dict[str, Any]

# How probabilities become decisions. half: at 0.5; own: at each label's best threshold on the eval split; pooled: at
# that, shrunk towards one threshold for all labels if there are few positives; shrunk: shrunk towards the threshold
# that is expected to be best (the default); shrunk_platt: the default after Platt scaling.
DECISIONS = ("half", "own", "pooled", "shrunk", "shrunk_platt")
_REPEATS = 10


def score(run: Run, decision: str) -> dict[str, float]:
    """Compute the metrics of a run on the test split."""
    from sklearn.metrics import f1_score, roc_auc_score

    probabilities = {name: run[f"{name}_probabilities"] for name in ("eval", "test")}
    labels = {name: run[name] for name in ("eval", "test")}
    if decision == "shrunk_platt":
        calibrate = fit_platt(probabilities["eval"], labels["eval"])
        probabilities = {name: calibrate(values) for name, values in probabilities.items()}
    n_labels = labels["test"].shape[1]
    predicted = probabilities["test"] > _thresholds(decision, probabilities["eval"], labels["eval"])
    errors = [expected_calibration_error(probabilities["test"][:, j], labels["test"][:, j]) for j in range(n_labels)]
    return {
        "macro_f1": float(f1_score(labels["test"], predicted, average="macro", zero_division=0)),
        "micro_f1": float(f1_score(labels["test"], predicted, average="micro", zero_division=0)),
        "macro_auc": float(roc_auc_score(labels["test"], probabilities["test"], average="macro")),
        "calibration_error": float(np.mean(errors)),
    }


def cross_checked_macro_f1(run: Run) -> float:
    """Compute macro F1 on the eval split, each half decided with thresholds from the other, mean over ten divisions.

    Trainings are compared by it: thresholds that are scored on the rows that they were chosen on flatter rare labels.
    """
    from sklearn.metrics import f1_score

    probabilities, labels = run["eval_probabilities"], run["eval"]
    scores = []
    for repeat in range(_REPEATS):
        is_first = np.random.default_rng(repeat).permutation(len(labels)) % 2 == 0
        predicted = np.empty(labels.shape, bool)
        for half in (is_first, ~is_first):
            predicted[~half] = probabilities[~half] > choose_thresholds(probabilities[half], labels[half])
        scores.append(f1_score(labels, predicted, average="macro", zero_division=0))
    return float(np.mean(scores))


def best_epoch(run: Run) -> Run:
    """Keep the epoch with the highest macro F1 on the eval split, as `monitor: macro_f1` does.

    Args:
        run: Training whose probabilities are those after each epoch, [epochs, n, n_labels].
    """
    scorer = Scorer([str(column) for column in range(run["eval"].shape[1])])
    best = int(np.argmax([scorer(epoch, run["eval"]).macro_f1 for epoch in run["eval_probabilities"]]))
    names = ("eval_probabilities", "test_probabilities")
    return run | {name: run[name][best] for name in names}


def choose(runs: Mapping[float, Run]) -> float:
    """Return the key of the run that is best on the eval split."""
    return max(runs, key=lambda key: cross_checked_macro_f1(runs[key]))


def label_scores(run: Run, labels: Sequence[str], precision: float) -> dict[str, dict[str, Any]]:
    """Compute F1 of each label on the test split, and its recall at a precision.

    The precision is kept on the eval split, by the rule of `thresholds: {objective: min_precision}`; what it is on the
    test split is returned beside the recall. A label that reaches it at no threshold is never predicted, with recall 0.

    Args:
        run: Training.
        labels: Label names.
        precision: Minimum precision.
    """
    probabilities, truth = run["test_probabilities"], run["test"] > 0
    eval_pair = run["eval_probabilities"], run["eval"]
    best = probabilities > choose_thresholds(*eval_pair)
    setting = MinPrecision(objective="min_precision", precision=precision)
    precise = probabilities > choose_thresholds(*eval_pair, settings=setting)
    found: dict[str, dict[str, Any]] = {}
    for column, label in enumerate(labels):
        n_true = int(truth[:, column].sum())
        hits, n_given = int((best & truth)[:, column].sum()), int(best[:, column].sum())
        precise_hits, n_precise = int((precise & truth)[:, column].sum()), int(precise[:, column].sum())
        interval = proportion_interval(precise_hits, n_true)
        found[label] = {
            "support": n_true,
            "f1": round(2 * hits / max(n_true + n_given, 1), 3),
            "recall": round(precise_hits / max(n_true, 1), 3),
            "recall_interval": interval and [round(bound, 3) for bound in interval],
            "precision": round(precise_hits / n_precise, 3) if n_precise else None,
        }
    return found


def aggregate(scores: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return [mean, standard deviation] over seeds by metric, without the standard deviation if there is one seed."""
    columns = {name: [each[name] for each in scores] for name in scores[0]}
    return {
        name: [round(statistics.mean(values), 4), *([round(statistics.stdev(values), 4)] if len(values) > 1 else [])]
        for name, values in columns.items()
    }


def _thresholds(decision: str, probabilities: Floats, labels: Floats) -> NDArray[Any]:
    """Choose thresholds [n_labels] on the eval split."""
    if decision == "half":
        return np.full(labels.shape[1], 0.5)
    if decision not in ("own", "pooled"):
        return choose_thresholds(probabilities, labels)
    own = np.array([best_f_threshold(probabilities[:, j], labels[:, j]) for j in range(labels.shape[1])])
    return _shrink_towards_pooled(own, probabilities, labels) if decision == "pooled" else own


def _shrink_towards_pooled(own: NDArray[Any], probabilities: Floats, labels: Floats) -> NDArray[Any]:
    """Shrink thresholds, in logits, towards the one of the highest macro F1, half of the way with ten positives."""
    from sklearn.metrics import f1_score

    candidates = np.quantile(probabilities, np.linspace(0.5, 0.999, 99))
    scores = [f1_score(labels, probabilities > candidate, average="macro", zero_division=0) for candidate in candidates]
    pooled = candidates[int(np.argmax(scores))]
    weight = labels.sum(axis=0) / (labels.sum(axis=0) + 10)
    logits = weight * to_logits(own) + (1 - weight) * to_logits(np.full_like(own, pooled))
    return np.asarray(1 / (1 + np.exp(-logits)))
