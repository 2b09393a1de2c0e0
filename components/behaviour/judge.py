"""Comparison of a model's answers with what the tests demand."""

from collections.abc import Sequence
from typing import Literal

from components.behaviour.answers import Answers
from components.behaviour.cases import EditCase, TextCase
from components.behaviour.results import MOST_FAILURES, Failure, GroupResult
from components.behaviour.settings import EVERY_OTHER, EditsGroup, Group, TextsGroup


def judge_texts(group: TextsGroup, cases: Sequence[TextCase], answers: Answers) -> GroupResult:
    """Judge a group of texts: a case passes if all labels that must be given are, and none that must not be."""
    return _result(group, "texts", None, [_text_failure(case, answers) for case in cases])


def judge_edits(group: EditsGroup, cases: Sequence[EditCase], answers: Answers) -> GroupResult:
    """Judge a group of edits: a case passes if both texts are given the same labels."""
    return _result(group, "edits", group.edit, [_edit_failure(case, answers) for case in cases])


def _result(
    group: Group, kind: Literal["texts", "edits"], edit: str | None, outcomes: Sequence[Failure | None]
) -> GroupResult:
    failures = [failure for failure in outcomes if failure is not None]
    return GroupResult(
        name=group.name,
        kind=kind,
        edit=edit,
        cases=len(outcomes),
        passed=len(outcomes) - len(failures),
        bound=group.pass_rate,
        failures=failures[:MOST_FAILURES],
    )


def _text_failure(case: TextCase, answers: Answers) -> Failure | None:
    """Return what is wrong with a case, or None if it passes."""
    given = answers.labels_given(case.question)
    unwanted = [
        label
        for label in given
        if label in case.not_given or (EVERY_OTHER in case.not_given and label not in case.given)
    ]
    wrong = [*(label for label in case.given if label not in given), *unwanted]
    if not wrong:
        return None
    return Failure(
        text=case.question.text,
        text_pair=case.question.text_pair,
        expected=list(case.given),
        given=given,
        wrong=[answers.wrong_label(case.question, label) for label in wrong],
    )


def _edit_failure(case: EditCase, answers: Answers) -> Failure | None:
    """Return what is wrong with a case, or None if it passes."""
    before, after = answers.labels_given(case.original), answers.labels_given(case.edited)
    wrong = [label for label in answers.model.labels if (label in before) != (label in after)]
    if not wrong:
        return None
    return Failure(
        text=case.edited.text,
        text_pair=case.edited.text_pair,
        original=case.original.text,
        original_pair=case.original.text_pair,
        row=case.original.row,
        expected=before,
        given=after,
        wrong=[answers.wrong_label(case.edited, label, case.original) for label in wrong],
    )
