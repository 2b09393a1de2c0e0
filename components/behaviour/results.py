"""Results of the behavioural tests, as a record and as gates. Needs no TensorFlow."""

from typing import Literal

from pydantic import Field

from components.common.record import Record, Value
from components.evaluation.gates.result import GateResult

MOST_FAILURES = 20  # kept for each group
_MOST_CHARACTERS = 80  # of a text, in a reason


class WrongLabel(Value):
    """Label that was given and must not be, or the reverse."""

    label: str
    must_be_given: bool
    probability: float
    threshold: float
    before: float | None = Field(None, description="Probability for the unedited text; None in a group of texts.")


class Failure(Value):
    """Case that did not pass.

    Attributes:
        text: Text that the model was asked, after the edit.
        text_pair: Second text after the edit; None where the model takes single texts.
        original: Text before the edit; None where there was none.
        original_pair: Second text before the edit; None where there was none.
        row: Id of the text's row in the test split; None for a text of the tests' file.
        expected: Labels that must be given. In a group of edits, those that the unedited text is given.
        given: Labels that are given.
        wrong: Labels that differ.
    """

    text: str
    text_pair: str | None = None
    original: str | None = None
    original_pair: str | None = None
    row: str | None = None
    expected: list[str]
    given: list[str]
    wrong: list[WrongLabel]


class GroupResult(Value):
    """Result of one group of tests.

    Attributes:
        name: Name of the group.
        kind: texts (minimum functionality) or edits (invariance).
        edit: Name of the edit; None in a group of texts.
        cases: Number of cases.
        passed: Number of cases that passed.
        bound: Least share of cases that must pass.
        failures: The first cases that did not pass, at most `MOST_FAILURES`.
    """

    name: str
    kind: Literal["texts", "edits"]
    edit: str | None = None
    cases: int
    passed: int
    bound: float
    failures: list[Failure] = Field(default=[])

    @property
    def rate(self) -> float | None:
        """Share of cases that passed; None without cases."""
        return self.passed / self.cases if self.cases else None

    @property
    def meets_bound(self) -> bool:
        """Whether enough cases passed. A group without cases meets only a bound of 0."""
        return (self.rate or 0.0) >= self.bound


class Results(Record):
    """Results of all groups, texts before edits, in the order of the tests' file."""

    FILE = "results.json"

    groups: list[GroupResult] = Field(default=[])


def gate_results(results: Results) -> list[GateResult]:
    """Return the results of the groups as results of gates, in the same order."""
    return [
        GateResult(
            gate=f"behaviour[{group.name}] >= {group.bound:g}",
            value=group.rate,
            bound=group.bound,
            passed=group.meets_bound,
            note=_describe(group),
        )
        for group in results.groups
    ]


def _describe(group: GroupResult) -> str:
    name = f"behaviour[{group.name}]"
    if group.rate is None:
        return f"{name} has no case: edit {group.edit} changes none of its texts"
    outcome = f"{name} is {group.rate:.6g}, {group.passed} of {group.cases} cases"
    if group.meets_bound:
        return f"{outcome}, at least the bound of {group.bound:g}"
    return f"{outcome}, below the bound of {group.bound:g}; for example {_describe_failure(group.failures[0])}"


def _describe_failure(failure: Failure) -> str:
    """Describe a failure in one line. A row of the data is named, not quoted: reasons go into logs and messages."""
    # Not repr, which would double every backslash and choose the quotes.
    texts = " / ".join(f'"{_shorten(text)}"' for text in (failure.text, failure.text_pair) if text is not None)
    case = f"row {failure.row} of the test split, edited" if failure.row is not None else texts
    return f"{case}: {', '.join(_describe_label(wrong) for wrong in failure.wrong)}"


def _describe_label(wrong: WrongLabel) -> str:
    verdict = "is not given" if wrong.must_be_given else "is given"
    before = "" if wrong.before is None else f" after {wrong.before:.3f}"
    return f"{wrong.label} {verdict} ({wrong.probability:.3f}{before}, threshold {wrong.threshold:.3f})"


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."
