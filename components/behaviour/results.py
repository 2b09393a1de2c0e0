"""How a model did in the behavioural tests, as types and as gates. Needs no TensorFlow."""

from typing import Literal

from pydantic import Field

from components.common.files import read_bytes
from components.common.settings import Settings, write_json
from components.evaluation.gates.result import GateResult

RESULTS_FILE = "results.json"
MOST_FAILURES = 20  # told of a group
_MOST_CHARACTERS = 80  # of a text in a reason


class WrongLabel(Settings):
    """A label that was given and must not be, or the other way round."""

    label: str
    must_be_given: bool
    probability: float
    threshold: float
    before: float | None = Field(None, description="Of an edit: the probability that the unedited text has.")


class Failure(Settings):
    """A case that did not pass.

    Attributes:
        text: as the model was asked, that is, edited.
        text_pair: likewise, None where the model takes single texts.
        original: the text before the edit, None where there was none.
        original_pair: likewise of the second text.
        row: the id of the row of the test split that the text is from; None: it is from the tests' file.
        expected: the labels that must be given; of an edit, those that the unedited text is given.
        given: the labels that are given.
        wrong: what is wrong with that.
    """

    text: str
    text_pair: str | None = None
    original: str | None = None
    original_pair: str | None = None
    row: str | None = None
    expected: list[str]
    given: list[str]
    wrong: list[WrongLabel]


class GroupResult(Settings):
    """One group's outcome.

    Attributes:
        name: of the group.
        kind: texts (minimum functionality) or edits (invariance).
        edit: of the latter: which.
        cases: how many there were.
        passed: so many of them.
        bound: the least share that must pass.
        failures: the first cases that did not pass, at most `MOST_FAILURES`.
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
        """The share of cases that passed, None without cases."""
        return self.passed / self.cases if self.cases else None

    @property
    def holds(self) -> bool:
        """Whether the group lets the model through; where something is asked and there is no case, it does not."""
        return (self.rate or 0.0) >= self.bound


class Results(Settings):
    """All groups, texts before edits, in the order of the file."""

    groups: list[GroupResult] = Field(default=[])


def write_results(uri: str, results: Results) -> None:
    """Writes the results into an artifact."""
    write_json(uri, RESULTS_FILE, results)


def read_results(uri: str) -> Results:
    """Reads the results of an artifact."""
    return Results.model_validate_json(read_bytes(f"{uri}/{RESULTS_FILE}"))


def gate_results(results: Results) -> list[GateResult]:
    """Each group as a gate, in their order."""
    return [
        GateResult(
            gate=f"behaviour[{group.name}] >= {group.bound:g}",
            value=group.rate,
            bound=group.bound,
            passed=group.holds,
            note=_in_words(group),
        )
        for group in results.groups
    ]


def _in_words(group: GroupResult) -> str:
    name = f"behaviour[{group.name}]"
    if group.rate is None:
        return f"{name} has no case: edit {group.edit} changes none of its texts"
    outcome = f"{name} is {group.rate:.6g}, {group.passed} of {group.cases} cases"
    if group.holds:
        return f"{outcome}, at least the bound of {group.bound:g}"
    return f"{outcome}, below the bound of {group.bound:g}; for example {_example(group.failures[0])}"


def _example(failure: Failure) -> str:
    """A failure on one line. A row of the data is named, never quoted: reasons go into logs and messages."""
    # Not repr: it would escape what is not ASCII-printable only, but double every backslash and choose its quotes.
    texts = " / ".join(f'"{_short(text)}"' for text in (failure.text, failure.text_pair) if text is not None)
    where = f"row {failure.row} of the test split, edited" if failure.row is not None else texts
    return f"{where}: {', '.join(_of_label(wrong) for wrong in failure.wrong)}"


def _of_label(wrong: WrongLabel) -> str:
    verdict = "is not given" if wrong.must_be_given else "is given"
    before = "" if wrong.before is None else f" after {wrong.before:.3f}"
    return f"{wrong.label} {verdict} ({wrong.probability:.3f}{before}, threshold {wrong.threshold:.3f})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."
