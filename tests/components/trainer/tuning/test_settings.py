"""Settings of the search for hyperparameters."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from components.trainer.settings import TrainingSettings, with_values
from components.trainer.tuning.settings import TuneSettings


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({}, "give either trials, such as 20, or budget, such as 30m"),
        ({"trials": 3, "budget": "30m"}, "give either trials"),
        ({"budget": "soon"}, "such as 30m, 12h"),
        ({"budget": "0m"}, "more time than none"),
        ({"trials": 3, "retune": "monthly"}, "write `when labels change`, `never`, or `every N days`"),
        ({"trials": 3, "over": {}}, "name at least one setting"),
        ({"trials": 3, "over": {"learning_rte": [1e-4, 2e-4]}}, "cannot be tuned; did you mean 'learning_rate'?"),
        ({"trials": 3, "over": {"seed": [1, 2]}}, "seed cannot be tuned"),
        ({"trials": 3, "over": {"epochs": {"low": 1, "high": 9}}}, "epochs is a whole number; give a list"),
        ({"trials": 3, "over": {"dropout": [0.1]}}, "at least two different values"),
        ({"trials": 3, "over": {"dropout": {"low": 0.3, "high": 0.1}}}, "low, 0.3, must be below high, 0.1"),
        ({"trials": 3, "over": {"learning_rate": {"low": 0, "high": 1, "scale": "log"}}}, "begins above 0"),
        ({"trials": 3, "over": {"dropout": [0.1, 1.5]}}, "tune.over.dropout: 1.5 is not allowed"),
        ({"trials": 3, "over": {"batch_size": [8, 16.5]}}, "tune.over.batch_size: 16.5 is not allowed"),
    ],
)
def test_refuses_a_search_that_cannot_work(tune: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TrainingSettings.model_validate({"tune": tune})
    assert message in str(raised.value)


def test_values_that_cannot_be_combined_with_the_other_settings_are_refused() -> None:
    tune = {"trials": 3, "over": {"layer_decay": [0.9, 1.0]}}
    with pytest.raises(ValidationError, match=r"tune\.over\.layer_decay: 0\.9 is not allowed .*trains none"):
        TrainingSettings.model_validate({"trainable": "head", "tune": tune})


def test_found_values_replace_those_of_the_configuration() -> None:
    settings = TrainingSettings.model_validate({"tune": {"budget": "2h"}, "epochs": 5})
    found = with_values(settings, {"learning_rate": 2e-4, "batch_size": 64})
    assert (found.learning_rate, found.batch_size, found.epochs, found.tune) == (2e-4, 64, 5, None)


def test_periods_are_read() -> None:
    tune = TuneSettings.model_validate({"budget": "90m", "retune": "every 30 days"})
    assert (tune.seconds, tune.valid_for) == (5400, timedelta(days=30))
    assert TuneSettings(trials=3).valid_for is None
