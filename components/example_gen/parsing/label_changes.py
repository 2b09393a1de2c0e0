"""Changes of the label list since rows were written, applied to a row's labels before it becomes an example."""

from collections.abc import Sequence

from pydantic import Field

from components.common.record import Value
from schema.label_list import LabelList


class LabelChanges(Value):
    """Changes of the label list that the data may not reflect.

    Attributes:
        renamed: Present name of a label by its former name.
        retired: Labels that are no longer in use, by their present names.
    """

    renamed: dict[str, str] = Field(default={})
    retired: tuple[str, ...] = ()


def changes_of(labels: LabelList) -> LabelChanges:
    """Return the changes that the label list of a schema records."""
    return LabelChanges(
        renamed=dict(labels.aliases), retired=tuple(name for name in labels.names if name in labels.retired)
    )


def apply_changes(labels: Sequence[str], changes: LabelChanges) -> tuple[list[str], list[str]]:
    """Return a row's labels by their present names.

    Returns:
        Labels that are in use or unknown, and labels that are retired; each once, in the order of the row.

    Example:
        >>> apply_changes(["happy", "bored"], LabelChanges(renamed={"happy": "joy"}, retired=("bored",)))
        (['joy'], ['bored'])
    """
    current = list(dict.fromkeys(changes.renamed.get(label, label) for label in labels))
    if not changes.retired:
        return current, []
    return (
        [label for label in current if label not in changes.retired],
        [label for label in current if label in changes.retired],
    )
