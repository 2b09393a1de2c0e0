"""Scores of `benchmarks.quality`."""

import numpy as np
import pytest

from benchmarks.quality_scores import DECISIONS, Run, best_epoch, choose, cross_checked_macro_f1, label_scores, score


def _run(seed: int, informative: float) -> Run:
    rng = np.random.default_rng(seed)
    run: Run = {"seconds": 1.0}
    for name in ("eval", "test"):
        labels = (rng.random((600, 3)) < (0.4, 0.2, 0.02)).astype(np.float32)
        logits = informative * (2 * labels - 1) + rng.normal(0, 1, labels.shape) - 1
        run |= {name: labels, f"{name}_probabilities": np.float32(1 / (1 + np.exp(-logits)))}
    return run


def test_thresholds_are_not_scored_on_the_rows_that_they_were_chosen_on() -> None:
    noise = _run(0, informative=0.0)
    flattered = score(noise | {"test": noise["eval"], "test_probabilities": noise["eval_probabilities"]}, "own")
    checked = cross_checked_macro_f1(noise)
    assert checked < flattered["macro_f1"] - 0.01
    assert checked == pytest.approx(score(noise, "own")["macro_f1"], abs=0.04)


def test_the_better_run_is_chosen_and_has_the_higher_scores() -> None:
    runs = {1e-4: _run(0, 0.5), 2e-4: _run(1, 1.5)}
    assert choose(runs) == 2e-4
    for decision in DECISIONS:
        worse, better = (score(run, decision) for run in runs.values())
        assert better["macro_auc"] > worse["macro_auc"]
        assert better["macro_f1"] > worse["macro_f1"]


def test_the_epoch_that_is_best_on_the_eval_split_counts() -> None:
    worse, better = _run(0, 0.5), _run(0, 1.5)
    names = ("eval_probabilities", "test_probabilities")
    epochs = worse | {name: np.stack([worse[name], better[name], worse[name]]) for name in names}
    assert score(best_epoch(epochs), "own") == score(better, "own")


def test_recall_is_that_of_the_threshold_that_keeps_the_precision() -> None:
    run = _run(2, informative=1.5)
    found = label_scores(run, ["often", "seldom", "rare"], precision=0.8)
    assert [each["support"] for each in found.values()] == run["test"].sum(axis=0).tolist()
    often = found["often"]
    assert often["precision"] == pytest.approx(0.8, abs=0.07), "chosen on other rows"
    low, high = often["recall_interval"]
    assert low < often["recall"] < high
    assert found["rare"]["recall_interval"][1] - found["rare"]["recall_interval"][0] > high - low
    strict = label_scores(run, ["often", "seldom", "rare"], precision=0.95)
    assert strict["often"]["recall"] < often["recall"]
    assert strict["often"]["f1"] == often["f1"]
