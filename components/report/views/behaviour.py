"""Section of the report on the behavioural tests: each group, and the cases that failed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile

from components.behaviour.results import Failure, GroupResult, Results, WrongLabel
from components.report.drawing.tables import Cell, Head, Table, count, number, text
from components.report.views.decision import status_cell

_MOST_CHARACTERS = 1_000  # shown of a case's text
_CONTEXT = 200  # characters of these before the first edited one

# (edited, piece) pairs that together are a text.
Pieces = Sequence[tuple[bool, str]]


@dataclass(frozen=True)
class FailureView:
    """Case that failed.

    Attributes:
        texts: (name, pieces) pairs; empty if texts are not shown.
        row: ID of the row of the test split that the case is from; None if it is from the tests' own file.
        expected: What the expected labels are, in words, and these labels.
        given: What the given labels are, in words, and these labels.
        wrong: Labels that are wrong.
    """

    texts: Sequence[tuple[str, Pieces]]
    row: str | None
    expected: tuple[str, Sequence[str]]
    given: tuple[str, Sequence[str]]
    wrong: Sequence[WrongLabel]


@dataclass(frozen=True)
class GroupView:
    """Group with failed cases.

    Attributes:
        name: Name of the group.
        kind: What its cases are, in words.
        failed: Number of cases that failed.
        cases: Number of cases.
        failures: The first failed cases.
    """

    name: str
    kind: str
    failed: int
    cases: int
    failures: Sequence[FailureView]


@dataclass(frozen=True)
class BehaviourView:
    """Content of the section.

    Attributes:
        table: All groups.
        groups: Groups with failed cases.
    """

    table: Table
    groups: Sequence[GroupView]


def behaviour_view(results: Results | None, *, texts: bool) -> BehaviourView | None:
    """Return the content of the section; None if there are no groups. The arguments are those of `group_views`."""
    table = groups_table(results)
    return None if table is None else BehaviourView(table, group_views(results, texts=texts))


def groups_table(results: Results | None) -> Table | None:
    """Return a table of the groups; None if there are none."""
    if results is None or not results.groups:
        return None
    heads = [Head("group", False), Head("status", False), Head("pass rate"), Head("bound"), Head("passed")]
    heads += [Head("cases"), Head("kind", False)]
    rows = [
        [
            text(group.name), _status(group), number(group.rate), number(group.bound), count(group.passed),
            count(group.cases), text(_kind(group)),
        ]
        for group in results.groups
    ]  # fmt: skip
    return Table("Groups of behavioural tests", heads, rows, "behaviour", sortable=False)


def group_views(results: Results | None, *, texts: bool) -> list[GroupView]:
    """Return the groups with failed cases.

    Args:
        results: Results of the tests; None if there are none.
        texts: Whether to show texts of the test split; those of the tests' own file are always shown.
    """
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
        return "texts with known labels"
    return f"edits that must not change any label: {(group.edit or '').replace('_', ' ')}"


def _status(group: GroupResult) -> Cell:
    if group.meets_bound:
        return status_cell("passed" if group.bound else "only measured")
    return status_cell("failed")


def _failure(failure: Failure, texts: bool) -> FailureView:
    shown = texts or failure.row is None
    edited = failure.original is not None
    return FailureView(
        texts=list(_texts(failure)) if shown else [],
        row=failure.row,
        expected=("labels before the edit" if edited else "must be given", failure.expected),
        given=("after the edit" if edited else "given", failure.given),
        wrong=failure.wrong,
    )


def _texts(failure: Failure) -> Iterator[tuple[str, Pieces]]:
    for name, tested, original in (
        ("", failure.text, failure.original),
        ("second text", failure.text_pair, failure.original_pair),
    ):
        if tested is None:
            continue
        if original is None or original == tested:
            yield name, [(False, _cut(tested, 0))]
            continue
        first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(original, tested, strict=False)))
        before, after = _cut(original, first), _cut(tested, first)
        prefix = f"{name}, " if name else ""
        yield f"{prefix}original", [(False, before)]
        yield f"{prefix}edited", _mark_edits(before, after)


def _cut(whole: str, first: int) -> str:
    """Return a text; of a long one, the part around its first edited character."""
    if len(whole) <= _MOST_CHARACTERS:
        return whole
    start = max(0, first - _CONTEXT)
    end = start + _MOST_CHARACTERS
    return f"{'… ' * (start > 0)}{whole[start:end]}{' …' * (end < len(whole))}"


def _mark_edits(before: str, after: str) -> Pieces:
    """Mark the edited words; none if most of them are, as in upper case, which is visible without marks."""
    words_before, words_after = (re.findall(r"\s+|\S+", each) for each in (before, after))
    operations = SequenceMatcher(None, words_before, words_after, autojunk=False).get_opcodes()
    pieces = [(tag != "equal", "".join(words_after[low:high])) for tag, _, _, low, high in operations if high > low]
    if sum(len(piece) for edited, piece in pieces if edited) > len(after) / 2:
        return [(False, after)]
    return pieces
