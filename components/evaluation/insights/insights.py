"""Insights into a model on the test split: `insights.json`, beside the Evaluator's own results.

Scores of each label, from which curves are drawn; which labels are confused with which; the most confident mistakes.
The report reads it, so it needs neither TensorFlow nor TFMA; `components.evaluation.insights.gather` gathers it.
"""

import math
from typing import ClassVar

from pydantic import Field

from components.common.record import Record, Value
from components.explanation.segments import Segment

# Probabilities are counted in bins of equal width in log odds: those of a rare label crowd near 0, where even steps of
# probability would put most of them into one bin. A bin of 0.05 is 0.0125 of probability wide at 0.5, less elsewhere.
BINS = 400
LOG_ODDS_LIMIT = 10.0
# Bins of a reliability diagram, even in probability.
RELIABILITY_BINS = 10
# With up to this many labels, the confusions of all pairs are kept.
MATRIX_LABELS = 40
# Upper bound of the mistakes kept for each label and kind.
MOST_MISTAKES = 20


class Reliability(Value):
    """Bin of a reliability diagram: predicted probabilities against observed frequencies."""

    low: float = Field(description="Lower bound of the bin, which is 1 / RELIABILITY_BINS wide.")
    examples: int
    probability: float = Field(description="Mean probability of the label.")
    frequency: float = Field(description="Share of the examples that have the label.")


class ScoreCounts(Value):
    """Distribution of a model's probabilities of one label."""

    histogram: list[tuple[int, int, int]] = Field(
        description="[bin, examples without the label, examples with it] for each bin that has any, ascending."
    )
    reliability: list[Reliability] = Field(description="Bins that have examples, ascending.")


class Mistake(Value):
    """Example for which a label was decided wrongly."""

    id: str
    probability: float = Field(description="Probability of the label.")
    text: str = Field(description="First characters of the text.")
    text_pair: str | None = None
    right: list[str] = Field(description="Labels that the example has.")
    given: list[str] = Field(description="Labels that the model predicts.")
    why: list[Segment] = Field(default=[], description="What each word of the text adds; empty if that is not known.")
    why_pair: list[Segment] = Field(default=[], description="The same of the second text.")


class LabelMistakes(Value):
    """Number of wrong decisions on one label, and the most confident of them."""

    false_positives: int
    false_negatives: int
    wrongly_given: list[Mistake] = Field(description="False positives, most probable first.")
    missed: list[Mistake] = Field(description="False negatives, least probable first.")


class Confusion(Value):
    """How often a label is predicted for examples that do not have it but have a certain other label.

    An example counts once for each pair of a label that is wrongly predicted and a label that it has.
    """

    given: str = Field(description="The label that is wrongly predicted.")
    right: str | None = Field(description="A label that the example has; None if it has none.")
    missed: int = Field(description="Number of examples for which `right` is not predicted: `given` takes its place.")
    beside: int = Field(description="Number of examples for which `right` is predicted as well.")


class Together(Value):
    """How often two labels occur together, in the data and in what the model predicts."""

    first: str
    second: str = Field(description="A label after `first` in the model's order.")
    truth: int = Field(description="Number of examples that have both.")
    predicted: int = Field(description="Number of examples for which both are predicted.")


class Insights(Record):
    """Insights into the whole test split, for the labels in use."""

    FILE: ClassVar[str] = "insights.json"
    INDENT: ClassVar[int | None] = None  # with 500 labels it has hundreds of thousands of numbers

    examples: int
    candidate: dict[str, ScoreCounts]
    baseline: dict[str, ScoreCounts] | None = Field(
        description="Without the labels that the baseline lacks; None if there is no baseline."
    )
    confusions: list[Confusion] = Field(
        description=(
            "Most frequent first, by `missed`, then by `beside`; with many labels, the most frequent of each label."
        )
    )
    mistakes: dict[str, LabelMistakes]
    missed_alone: dict[str, int] = Field(
        default={}, description="Examples by label that is missed while no wrong label is predicted in its place."
    )
    surplus: dict[str, int] = Field(
        default={},
        description="Examples by label that is wrongly predicted besides the right ones: none of these is missed, and"
        " there is at least one.",
    )
    together: list[Together] = Field(
        default=[],
        description="Pairs of labels that occur together; with many labels, those with the most examples by either.",
    )


def bin_edge(edge: int) -> float:
    """Return the probability at the lower edge of a bin; for `BINS`, at the upper edge of the last bin.

    Example:
        >>> bin_edge(BINS // 2)
        0.5
    """
    return 1.0 / (1.0 + math.exp(LOG_ODDS_LIMIT * (1.0 - 2.0 * edge / BINS)))
