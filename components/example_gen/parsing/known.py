"""Which labels of a row somebody knows: what the row was labelled for, and what nobody has said about it.

A label that a row was not asked for is unknown, not absent. It travels beside the row's own labels to the examples, and
has no part in the loss, in thresholds or in metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.example_gen.formats.rows import Reason
from components.example_gen.formats.values import UnusableValueError, printable
from components.example_gen.parsing.label_changes import LabelChanges, apply_changes
from components.example_gen.parsing.row_parser import LabelledText


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """Labels of a row by their present names.

    Attributes:
        given: Labels that the row has, in its order.
        unknown: Labels of which nobody knows whether the row has them.
        retired: Labels that the row has, but that are no longer in use.
        completed: Those of `given` that the row says it has not, although another of its labels implies them.
        scores: Share of annotators, between 0 and 1, who gave a label, for the labels that some but not all gave.
    """

    given: list[str]
    unknown: list[str]
    retired: list[str]
    completed: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)


class LabelResolver:
    """Resolver of what rows say into the labels that are given, and those that are unknown.

    A label that the row has says yes for every label that it implies. A label that the row has not says no for every
    label that implies it.

    Args:
        changes: Labels that were renamed or retired, and what labels imply; with all names, if rows may leave labels
            unknown.
        complete: Whether a row that says it lacks a label that another one implies gets it; otherwise it is refused.

    Example:
        >>> resolver = LabelResolver(LabelChanges(renamed={"bad": "toxic"}, names=("toxic", "insult", "threat")))
        >>> row = LabelledText("1", "a text", ["insult"], [], asked=["bad"])
        >>> resolver.resolve(row)
        KnownLabels(given=['insult'], unknown=['threat'], retired=[], completed=[], scores={})
    """

    def __init__(self, changes: LabelChanges, *, complete: bool = True) -> None:
        self._changes = changes
        self._complete = complete
        self._active = tuple(name for name in changes.names if name not in changes.retired)
        self._names = frozenset(changes.names)

    def resolve(self, row: LabelledText) -> KnownLabels:
        """Return the labels of a row.

        Raises:
            UnusableValueError: Nothing is known about the row, it was asked for a label that does not exist, or its
                labels contradict what they imply and are not to be completed.
        """
        given, retired = apply_changes(row.labels, self._changes)
        scores = self._scores(row)
        if not row.unknown and row.asked is None:
            return self._imply(KnownLabels(given, [], retired, scores=scores))
        unknown = dict.fromkeys(apply_changes(row.unknown, self._changes)[0])
        if row.asked is not None:
            asked = self._asked(row.asked)
            unknown |= dict.fromkeys(name for name in self._active if name not in asked)
        left = [name for name in unknown if name not in given and name not in scores]
        if not given and len(left) == len(self._active):
            raise UnusableValueError(Reason.NOT_LABELLED)
        return self._imply(KnownLabels(given, left, retired, scores=scores))

    def _imply(self, labels: KnownLabels) -> KnownLabels:
        """Return the labels with what they imply."""
        implies = self._changes.implies
        if not implies or not (labels.given or labels.unknown):
            return labels
        implied = dict.fromkeys(parent for label in labels.given for parent in implies.get(label, ()))
        missing = [parent for parent in implied if parent not in labels.given]
        contradicted = [parent for parent in missing if parent not in labels.unknown]
        if contradicted and not self._complete:
            child = next(label for label in labels.given if contradicted[0] in implies.get(label, ()))
            detail = f"'{printable(child)}' without '{printable(contradicted[0])}'"
            raise UnusableValueError(Reason.CONTRADICTION, detail)
        given = [*labels.given, *missing]
        open_ = {*given, *labels.unknown}
        unknown = [
            label
            for label in labels.unknown
            if label not in given and all(parent in open_ for parent in implies.get(label, ()))
        ]
        return KnownLabels(given, unknown, labels.retired, contradicted, self._implied_scores(labels, missing))

    def _implied_scores(self, labels: KnownLabels, missing: Sequence[str]) -> dict[str, float]:
        """Return the scores with no label below one that implies it."""
        scores = dict(labels.scores) | dict.fromkeys(missing, 0.0)
        for label in (*labels.given, *labels.scores):
            for parent in self._changes.implies.get(label, ()):
                if parent in scores:
                    scores[parent] = max(scores[parent], labels.scores.get(label, 1.0))
        return {label: score for label, score in scores.items() if 0 < score < 1}

    def _scores(self, row: LabelledText) -> dict[str, float]:
        if not row.scores:
            return {}
        present = ((self._changes.renamed.get(name, name), score) for name, score in row.scores.items())
        return {name: score for name, score in present if name not in self._changes.retired}

    def _asked(self, names: Sequence[str]) -> set[str]:
        asked = set(apply_changes(names, self._changes)[0])
        stranger = next((name for name in names if name in asked and name not in self._names), None)
        if stranger is not None:
            raise UnusableValueError(Reason.NOT_A_LABEL, f"'{printable(stranger)}'")
        return asked
