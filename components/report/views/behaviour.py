"""What a report says of the behavioural tests: each group, and the cases that did not pass."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile

from components.behaviour.results import Failure, GroupResult, Results, WrongLabel
from components.report.drawing.tables import Cell, Head, Table, count, number, text
from components.report.views.decision import outcome_cell

_MOST_CHARACTERS = 1_000  # of a case's text
_BEFORE = 200  # so many of them before what was edited

# (whether it was edited, piece) pairs, which together are a text.
Pieces = Sequence[tuple[bool, str]]


@dataclass(frozen=True)
class FailureView:
    """A case that did not pass.

    Attributes:
        texts: (what it is, its pieces) pairs; empty where texts are left out.
        row: The id of the test split's row that it is from; None: from the tests' file.
        due: What makes labels due, and which these are.
        given: What they were given to, likewise.
        wrong: What is wrong with that.
    """

    texts: Sequence[tuple[str, Pieces]]
    row: str | None
    due: tuple[str, Sequence[str]]
    given: tuple[str, Sequence[str]]
    wrong: Sequence[WrongLabel]


@dataclass(frozen=True)
class GroupView:
    """A group with cases that did not pass: the first ones, and how many there were of how many."""

    name: str
    kind: str
    failed: int
    cases: int
    failures: Sequence[FailureView]


def groups_table(results: Results | None) -> Table | None:
    """Each group; None where there is none."""
    if results is None or not results.groups:
        return None
    heads = [Head("group", False), Head("outcome", False), Head("pass rate"), Head("bound"), Head("passed")]
    heads += [Head("cases"), Head("kind", False)]
    rows = [
        [
            text(group.name), _outcome(group), number(group.rate), number(group.bound), count(group.passed),
            count(group.cases), text(_kind(group)),
        ]
        for group in results.groups
    ]  # fmt: skip
    return Table("Groups of behavioural tests", heads, rows, "behaviour", sortable=False)


def group_views(results: Results | None, *, texts: bool) -> list[GroupView]:
    """The groups with cases that did not pass."""
    return [
        GroupView(
            name=group.name,
            kind=_kind(group),
            failed=group.cases - group.passed,
            cases=group.cases,
            failures=[_failure(each, texts) for each in group.failures],
        )
        for group in (results.groups if results is not None else ())
        if group.failures
    ]


def _kind(group: GroupResult) -> str:
    if group.kind == "texts":
        return "texts whose labels are beyond doubt"
    return f"edits that must change no label: {(group.edit or '').replace('_', ' ')}"


def _outcome(group: GroupResult) -> Cell:
    if group.holds:
        return outcome_cell("held" if group.bound else "only measured")
    return outcome_cell("failed")


def _failure(failure: Failure, texts: bool) -> FailureView:
    shown = texts or failure.row is None
    edited = failure.original is not None
    return FailureView(
        texts=list(_texts(failure)) if shown else [],
        row=failure.row,
        due=("labels unedited" if edited else "must be given", failure.expected),
        given=("edited" if edited else "given", failure.given),
        wrong=failure.wrong,
    )


def _texts(failure: Failure) -> Iterator[tuple[str, Pieces]]:
    for name, asked, original in (
        ("", failure.text, failure.original),
        ("second text", failure.text_pair, failure.original_pair),
    ):
        if asked is None:
            continue
        if original is None or original == asked:
            yield name, [(False, _cut(asked, 0))]
            continue
        first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(original, asked, strict=False)))
        before, after = _cut(original, first), _cut(asked, first)
        prefix = f"{name}, " if name else ""
        yield f"{prefix}unedited", [(False, before)]
        yield f"{prefix}edited", _marked(before, after)


def _cut(whole: str, first: int) -> str:
    """A text, or of a long one the part in which its first edited character is."""
    if len(whole) <= _MOST_CHARACTERS:
        return whole
    start = max(0, first - _BEFORE)
    end = start + _MOST_CHARACTERS
    return f"{'… ' * (start > 0)}{whole[start:end]}{' …' * (end < len(whole))}"


def _marked(before: str, after: str) -> Pieces:
    """The words that were edited; none where most were, as by upper case: that is seen without."""
    here, there = (re.findall(r"\s+|\S+", each) for each in (before, after))
    steps = SequenceMatcher(None, here, there, autojunk=False).get_opcodes()
    pieces = [(step != "equal", "".join(there[low:high])) for step, _, _, low, high in steps if high > low]
    if sum(len(piece) for changed, piece in pieces if changed) > len(after) / 2:
        return [(False, after)]
    return pieces
