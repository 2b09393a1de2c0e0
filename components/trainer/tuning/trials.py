"""Results of a search, read from the artifact of TFX's Tuner. Free of TensorFlow."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from components.common.files import read_bytes
from components.common.record import Value
from components.trainer.tuning.settings import Choice, tuned_values
from schema.errors import Refused

# TFX's name (tfx 1.21, components/tuner/executor.py, _DEFAULT_TUNER_RESULTS_FILE_NAME).
_FILE = "tuner_results.json"
# KerasTuner's name for the resource that its HyperbandOracle gives a trial.
RESOURCE = "tuner/epochs"
_FEWEST_FOR_IMPORTANCE = 8


class Trial(Value):
    """One trial of a search.

    Attributes:
        values: Values of the settings.
        score: Objective on the eval split.
        share: Share of the steps of a full training.
    """

    values: dict[str, Choice]
    score: float
    share: float


class Trials(Value):
    """Trials of a search, those with the largest share first, and among these the best first.

    Attributes:
        trials: The trials; the first one's values are what the model is trained with.
        importance: Share of the variation of the objective that each setting explains; empty if there are too few
            trials to tell.
    """

    trials: list[Trial]
    importance: dict[str, float] = Field(default={})


def read_trials(uri: str) -> Trials:
    """Read the results of a search.

    Args:
        uri: URI of the Tuner's TunerResults.

    Raises:
        FileNotFoundError: There is no such file.
        Refused: The file is damaged.
    """
    path = f"{uri}/{_FILE}"
    try:
        rows: list[dict[str, Any]] = json.loads(read_bytes(path))
        most = max((row[RESOURCE] for row in rows), default=1)
        trials = [Trial(values=tuned_values(row), score=row["score"], share=row[RESOURCE] / most) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{path}: is damaged ({error}); run again") from None
    # TFX writes the best first.
    return Trials(trials=sorted(trials, key=lambda trial: -trial.share), importance=importance(trials))


def importance(trials: Sequence[Trial]) -> dict[str, float]:
    """Compute how much of the variation of the objective each setting explains.

    Source: Hutter et al., 2014, "An Efficient Approach for Assessing Hyperparameter Importance", which fits a random
    forest as well; here the forest's own measure is used, the mean decrease in impurity (Breiman, 2001).

    Args:
        trials: The trials; their share is an input of the forest too, and left out of the result.

    Returns:
        Shares by name, which add up to 1, the largest first; empty if there are fewer than eight trials or no setting
        explains anything.
    """
    if len(trials) < _FEWEST_FOR_IMPORTANCE:
        return {}
    from sklearn.ensemble import RandomForestRegressor

    names = list(trials[0].values)
    inputs = [[trial.share, *(trial.values[name] for name in names)] for trial in trials]
    forest = RandomForestRegressor(n_estimators=200, random_state=0).fit(inputs, [trial.score for trial in trials])
    shares = dict(zip(names, forest.feature_importances_[1:].tolist(), strict=True))
    total = sum(shares.values())
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return {name: share / total for name, share in ranked} if total > 0 else {}
