"""Holds a model's answers against the tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.behaviour.cases import EditCase, Question, TextCase
from components.behaviour.results import MOST_FAILURES, Failure, GroupResult, WrongLabel
from components.behaviour.settings import EVERY_OTHER, EditsGroup, TextsGroup
from components.registry import ModelRecord


@dataclass(frozen=True)
class Answers:
    """What a model said.

    Attributes:
        model: The model's record: labels, thresholds.
        probabilities: float32 [n_labels] of every text, and pair, that was asked.
    """

    model: ModelRecord
    probabilities: Mapping[tuple[str, str | None], npt.NDArray[np.float32]]

    def of(self, question: Question) -> npt.NDArray[np.float32]:
        return self.probabilities[question.text, question.text_pair]

    def given(self, question: Question) -> list[str]:
        """The labels above their thresholds, compared as the exported graph does, in single precision."""
        above = self.of(question) > np.asarray(self.model.thresholds, np.float32)
        return [label for label, is_given in zip(self.model.outputs, above.tolist(), strict=True) if is_given and label]

    def wrong(self, question: Question, label: str, original: Question | None = None) -> WrongLabel:
        """What is wrong with a label that is given, or is not, where the other was due."""
        place = self.model.labels.index(label)
        return WrongLabel(
            label=label,
            must_be_given=label not in self.given(question),
            probability=float(self.of(question)[place]),
            threshold=self.model.thresholds[place],
            before=None if original is None else float(self.of(original)[place]),
        )


def judge_texts(group: TextsGroup, cases: Sequence[TextCase], answers: Answers) -> GroupResult:
    """The outcome of a group of texts."""
    return _result(group, "texts", None, [_text_failure(case, answers) for case in cases])


def judge_edits(group: EditsGroup, cases: Sequence[EditCase], answers: Answers) -> GroupResult:
    """The outcome of a group of edits: a case passes if both texts are given the same labels."""
    return _result(group, "edits", group.edit, [_edit_failure(case, answers) for case in cases])


def _text_failure(case: TextCase, answers: Answers) -> Failure | None:
    given = answers.given(case.question)
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
        wrong=[answers.wrong(case.question, label) for label in wrong],
    )


def _edit_failure(case: EditCase, answers: Answers) -> Failure | None:
    before, after = answers.given(case.original), answers.given(case.edited)
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
        wrong=[answers.wrong(case.edited, label, case.original) for label in wrong],
    )


def _result(
    group: TextsGroup | EditsGroup, kind: str, edit: str | None, outcomes: Sequence[Failure | None]
) -> GroupResult:
    failures = [failure for failure in outcomes if failure is not None]
    return GroupResult.model_validate({
        "name": group.name,
        "kind": kind,
        "edit": edit,
        "cases": len(outcomes),
        "passed": len(outcomes) - len(failures),
        "bound": group.pass_rate,
        "failures": failures[:MOST_FAILURES],
    })  # fmt: skip
