"""Results of a search, as the report reads and shows them."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.trainer.tuning.trials import Trial, importance, read_trials
from schema.errors import Refused


def _write(folder: Path, content: object) -> str:
    (folder / "tuner_results.json").write_text(json.dumps(content))
    return str(folder)


def test_trials_of_a_full_training_come_before_better_ones_of_a_share(tmp_path: Path) -> None:
    rows = [
        {"trial_id": "0", "score": 0.6, "learning_rate": 2e-4, "tuner/epochs": 1, "tuner/bracket": 1},
        {"trial_id": "1", "score": 0.5, "learning_rate": 1e-4, "tuner/epochs": 3, "tuner/bracket": 1},
    ]
    trials = read_trials(_write(tmp_path, rows)).trials
    assert [(trial.values, trial.score, round(trial.share, 3)) for trial in trials] == [
        ({"learning_rate": 1e-4}, 0.5, 1.0),
        ({"learning_rate": 2e-4}, 0.6, 0.333),
    ]


@pytest.mark.parametrize("content", [{"a": 1}, [{"score": 1}], [1], "text"])
def test_refuses_damaged_results_in_a_line(tmp_path: Path, content: object) -> None:
    with pytest.raises(Refused, match=r"tuner_results\.json: is damaged"):
        read_trials(_write(tmp_path, content))


def test_the_setting_that_decides_is_found_important() -> None:
    rng = np.random.default_rng(0)
    trials = [
        Trial(values={"dropout": float(dropout), "learning_rate": float(rate)}, score=float(rate), share=1.0)
        for dropout, rate in rng.random((30, 2))
    ]
    shares = importance(trials)
    assert list(shares) == ["learning_rate", "dropout"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["learning_rate"] > 0.9


def test_few_trials_say_nothing_about_importance() -> None:
    assert importance([Trial(values={"dropout": 0.1}, score=0.5, share=1.0)] * 7) == {}
