"""Section of the report on the search for better hyperparameters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from components.report.drawing.charts import Axis, Chart, Line, chart
from components.report.drawing.tables import Head, Table, count, number, text
from components.report.views.material import Material
from components.trainer.tuning.trials import Trial, Trials

_MOST_TRIALS = 12
# Beyond this ratio of the largest to the smallest value, an axis is logarithmic.
_LOG_RATIO = 10


@dataclass(frozen=True)
class TuningView:
    """Content of the section.

    Attributes:
        trials: Number of trials.
        best: Values that the model was trained with.
        charts: Parallel coordinates of the trials.
        tables: The best trials, and how much each setting matters.
    """

    trials: int
    best: str
    charts: list[Chart]
    tables: list[Table]


def tuning_view(material: Material) -> TuningView | None:
    """Return the content of the section; None if nothing was searched."""
    trials = material.trials
    if trials is None or not trials.trials:
        return None
    best = ", ".join(f"{name} {value:.3g}" for name, value in trials.trials[0].values.items())
    return TuningView(len(trials.trials), best, [_coordinates(trials.trials)], [_best(trials), *_importance(trials)])


def _best(trials: Trials) -> Table:
    names = list(trials.trials[0].values)
    heads = [Head("trial", False), Head("share of the steps"), *(Head(name) for name in names), Head("objective")]
    rows = [
        [
            text(str(rank)),
            number(trial.share),
            *(count(value) if isinstance(value, int) else text(f"{value:.3g}") for value in trial.values.values()),
            number(trial.score),
        ]
        for rank, trial in enumerate(trials.trials[:_MOST_TRIALS], 1)
    ]
    return Table("The longest trials, the best first", heads, rows, "trials", sortable=False)


def _importance(trials: Trials) -> list[Table]:
    if not trials.importance:
        return []
    rows = [[text(name), number(share)] for name, share in trials.importance.items()]
    return [Table("Share of the differences that a setting explains", [Head("setting", False), Head("share")], rows)]


def _coordinates(trials: Sequence[Trial]) -> Chart:
    """Draw a line for each trial across an axis for each setting and one for the objective."""
    columns = {name: [float(trial.values[name]) for trial in trials] for name in trials[0].values}
    scaled = [*(_scaled(column) for column in columns.values()), _scaled([trial.score for trial in trials])]
    ranked = sorted(range(len(trials)), key=lambda row: trials[row].score)
    lines = [
        Line("", "train" if row == 0 else "steps", [(axis, values[row]) for axis, values in enumerate(scaled)])
        for row in [*(row for row in ranked if row), 0]
    ]
    ranges = [
        f"{number}: {name} {min(column):.3g} to {max(column):.3g}"
        for number, (name, column) in enumerate(columns.items(), 1)
    ]
    caption = f"Trials from low to high values of {'; '.join(ranges)}; {len(scaled)}: the objective"
    positions = [float(axis) for axis in range(len(scaled))]
    x = Axis("setting", 0, len(scaled) - 1, positions, [str(axis + 1) for axis in range(len(scaled))])
    return chart(caption, x, Axis("low to high"), lines)


def _scaled(values: Sequence[float]) -> list[float]:
    """Map values to 0 to 1, by their logarithms where they differ by an order of magnitude."""
    if min(values) > 0 and max(values) / min(values) >= _LOG_RATIO:
        values = [math.log(value) for value in values]
    low, high = min(values), max(values)
    return [0.5 if high == low else (value - low) / (high - low) for value in values]
