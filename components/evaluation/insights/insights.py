"""What else can be known of a model on the test split: `insights.json` beside the Evaluator's own results.

Scores by label, from which curves are drawn; which labels are taken for which; the most confident mistakes. Read by the
report, so it needs neither TensorFlow nor TFMA; `components.evaluation.insights.gather` gathers it.
"""

import math

from pydantic import Field, ValidationError

from components.common.files import read_bytes, write_whole
from components.common.settings import Settings

INSIGHTS_FILE = "insights.json"
# Probabilities are counted in bins of equal width in log odds: those of a rare label crowd near 0, where even steps of
# probability would put most of them into one bin. A step of 0.05 is 0.0125 of probability at 0.5, less elsewhere.
BINS = 400
LOG_ODDS_LIMIT = 10.0
# Bins of a reliability diagram, even in probability.
RELIABILITY_BINS = 10
# Up to so many labels, every pair of them is told of.
MATRIX_LABELS = 40
# Kept of each label and kind of mistake.
MOST_MISTAKES = 20


class Reliability(Settings):
    """A bin of a reliability diagram: what was said of some examples, and what was."""

    low: float = Field(description="Its lower bound; it is 1 / RELIABILITY_BINS wide.")
    examples: int
    probability: float = Field(description="Their mean.")
    frequency: float = Field(description="The share of them that has the label.")


class ScoreCounts(Settings):
    """What a model said of one label."""

    histogram: list[tuple[int, int, int]] = Field(
        description="[bin, examples without the label, examples with it] of each bin that has any, ascending."
    )
    reliability: list[Reliability] = Field(description="Of each bin that has examples, ascending.")


class Mistake(Settings):
    """An example on which a label was decided wrongly."""

    id: str
    probability: float = Field(description="Of the label.")
    text: str = Field(description="Its first characters.")
    text_pair: str | None = None
    right: list[str] = Field(description="The labels that it has.")
    given: list[str] = Field(description="The labels that the model gives it.")


class LabelMistakes(Settings):
    """How often a label was decided wrongly, and the most confident of these mistakes."""

    false_positives: int
    false_negatives: int
    wrongly_given: list[Mistake] = Field(description="Most probable first.")
    missed: list[Mistake] = Field(description="Least probable first.")


class Confusion(Settings):
    """How often a label is given to examples that do not have it, but have another one.

    An example counts once for each pair of a label that it was wrongly given and a label that it has.
    """

    given: str = Field(description="The label that was given and is not right.")
    right: str | None = Field(description="A label that the example has; None: it has none at all.")
    missed: int = Field(description="Examples to which that one was not given: `given` stood in its place.")
    beside: int = Field(description="Examples to which that one was given, too.")


class Insights(Settings):
    """What was found on the whole test split, of the labels in use."""

    examples: int
    candidate: dict[str, ScoreCounts]
    baseline: dict[str, ScoreCounts] | None = Field(description="None if there is none; labels it lacks are left out.")
    confusions: list[Confusion] = Field(
        description="Most frequent first, `missed` before `beside`; of many labels the most frequent ones of each."
    )
    mistakes: dict[str, LabelMistakes]


def probability_at(edge: int) -> float:
    """The probability at the lower edge of a bin; that of `BINS` is the upper edge of the last one."""
    return 1.0 / (1.0 + math.exp(LOG_ODDS_LIMIT * (1.0 - 2.0 * edge / BINS)))


def write_insights(folder: str, insights: Insights) -> None:
    """Writes insights.json into a folder, local or remote, complete or not at all."""
    write_whole(f"{folder}/{INSIGHTS_FILE}", f"{insights.model_dump_json()}\n".encode("utf-8", "replace"))


def read_insights(folder: str) -> Insights | None:
    """Reads the insights.json of a folder; None if there is none, or another version of this code has written it."""
    try:
        return Insights.model_validate_json(read_bytes(f"{folder}/{INSIGHTS_FILE}"))
    except (FileNotFoundError, ValidationError):
        return None
