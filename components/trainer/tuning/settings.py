"""Settings of the search for better hyperparameters. Free of TensorFlow."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from components.common.period import parse_period
from components.common.settings import Settings
from schema.nearest import nearest

# Settings of a training that a search may change: those that change what is learned, and not what is served or where.
TUNABLE = (
    "learning_rate", "batch_size", "epochs", "warmup", "weight_decay", "clip_norm", "layer_decay", "dropout",
    "label_smoothing", "accumulate",
)  # fmt: skip
_INTEGERS = ("batch_size", "epochs", "accumulate")
_RETUNE = re.compile(r"when labels change|never|every ([1-9][0-9]{0,3}) days")
Choice = int | float


class Interval(Settings):
    """Interval of a setting's values."""

    low: float = Field(description="Lowest value.")
    high: float = Field(description="Highest value.")
    scale: Literal["linear", "log"] = Field(
        "linear", description="Scale on which values are drawn evenly; log for learning rates."
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low, {self.low:g}, must be below high, {self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("a log scale begins above 0")
        return self


Space = dict[str, Interval | list[Choice]]


class TuneSettings(Settings):
    """Section `training.tune`: a search for better values of the other settings of the section, before the training.

    The search is successive halving (Li et al., 2018, "Hyperband"): many trials of a share of the steps, of which a
    third goes on to three times as many, until the best few are trained in full. Trials are compared on the eval split.
    """

    trials: PositiveInt | None = Field(
        None, description="Number of trials, short and long ones together. Give either trials or budget."
    )
    budget: str | None = Field(
        None,
        description="Time after which no further trial begins, such as 30m or 6h. Trials of a search that was killed"
        " count.",
    )
    over: Space = Field(
        {
            "learning_rate": Interval(low=3e-5, high=5e-4, scale="log"),
            "layer_decay": [0.8, 0.9, 0.95, 1.0],
            "batch_size": [16, 32, 64],
            "dropout": [0.1, 0.2, 0.3],
        },
        description="Values that are tried of each setting: a list, or an interval {low: 3e-5, high: 5e-4, scale: log}."
        " The values of the configuration are the first trial.",
    )
    objective: Literal["macro_f1", "loss"] = Field(
        "macro_f1",
        description="Measure on the eval split that decides: macro F1 at the thresholds chosen there, or the loss.",
    )
    retune: str = Field(
        "when labels change",
        description="When to search again, instead of using what was found: `when labels change`, `every 30 days` (and"
        " when labels change) or `never`. A changed section `training` or checkpoint is a new search in any case.",
    )

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: str | None) -> str | None:
        if value is not None and not parse_period(value):
            raise ValueError("give more time than none")
        return value

    @field_validator("retune")
    @classmethod
    def _check_retune(cls, value: str) -> str:
        if not _RETUNE.fullmatch(value):
            raise ValueError("write `when labels change`, `never`, or `every N days`")
        return value

    @field_validator("over")
    @classmethod
    def _check_over(cls, value: Space) -> Space:
        if not value:
            raise ValueError("name at least one setting and its values")
        for name, values in value.items():
            if name not in TUNABLE:
                raise ValueError(f"{name} cannot be tuned; {nearest(name, TUNABLE)}")
            if name in _INTEGERS and isinstance(values, Interval):
                raise ValueError(f"{name} is a whole number; give a list of values, not an interval")
            if isinstance(values, list) and len(set(values)) < 2:
                raise ValueError(f"{name} needs at least two different values")
        return value

    @model_validator(mode="after")
    def _check_limit(self) -> Self:
        if (self.trials is None) == (self.budget is None):
            raise ValueError("give either trials, such as 20, or budget, such as 30m")
        return self

    @property
    def seconds(self) -> float | None:
        """Budget in seconds; None if the number of trials is the limit."""
        return None if self.budget is None else parse_period(self.budget).total_seconds()

    @property
    def valid_for(self) -> timedelta | None:
        """Age up to which found values are used; None for any age."""
        match = _RETUNE.fullmatch(self.retune)
        return timedelta(days=int(match[1])) if match and match[1] else None

    def extremes(self) -> list[dict[str, Choice]]:
        """Return the values that the section `training` must allow: those of lists, and the ends of intervals."""
        return [
            {name: value}
            for name, values in self.over.items()
            for value in ((values.low, values.high) if isinstance(values, Interval) else values)
        ]


def tuned_values(found: Mapping[str, Any]) -> dict[str, Choice]:
    """Return the settings among the values of a KerasTuner trial, whose names begin with `tuner/` otherwise.

    Example:
        >>> tuned_values({"learning_rate": 0.0002, "batch_size": 16, "tuner/epochs": 9})
        {'learning_rate': 0.0002, 'batch_size': 16}
    """
    return {name: value for name, value in found.items() if name in TUNABLE}
