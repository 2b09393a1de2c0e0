"""Changes of the label list since rows were written, applied to a row's labels before it becomes an example."""

from collections.abc import Sequence

from pydantic import Field

from components.common.record import Value
from schema.label_list import LabelList


class LabelChanges(Value):
    """What the label list says about labels that the data may not reflect.

    Attributes:
        renamed: Present name of a label by its former name.
        retired: Labels that are no longer in use, by their present names.
        implies: Labels that a label implies, directly or through others, for the labels that imply any.
        names: All labels of the schema, where rows may leave some of them unknown; otherwise empty.
    """

    renamed: dict[str, str] = Field(default={})
    retired: tuple[str, ...] = ()
    implies: dict[str, tuple[str, ...]] = Field(default={})
    names: tuple[str, ...] = ()


def changes_of(labels: LabelList, *, with_names: bool = False) -> LabelChanges:
    """Return the changes that the label list of a schema records.

    Args:
        labels: The label list.
        with_names: Whether rows may leave labels unknown, so that all names are needed. Otherwise rows are not read
            again for an added label.
    """
    return LabelChanges(
        renamed=dict(labels.aliases),
        retired=tuple(name for name in labels.names if name in labels.retired),
        implies=labels.ancestors,
        names=labels.names if with_names else (),
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
