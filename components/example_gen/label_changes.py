"""What became of labels since rows were written: applied to a row's labels before it becomes an example."""

from collections.abc import Sequence

from pydantic import Field

from components.common.settings import Settings
from schema.label_list import LabelList


class LabelChanges(Settings):
    """The changes of the label list that data may not know of.

    Attributes:
        renamed: what a label was called before -> what it is called now.
        retired: the labels that are not in use any more, as they are called now.
    """

    renamed: dict[str, str] = Field(default={})
    retired: tuple[str, ...] = ()


def label_changes(labels: LabelList) -> LabelChanges:
    """The changes that a schema's label list records."""
    return LabelChanges(
        renamed=dict(labels.aliases), retired=tuple(name for name in labels.names if name in labels.retired)
    )


def apply(labels: Sequence[str], changes: LabelChanges) -> tuple[list[str], list[str]]:
    """A row's labels as they are called today.

    Returns:
        The labels in use or unknown, and the retired ones, which are dropped; each once, in the order of the row.
    """
    current = list(dict.fromkeys(changes.renamed.get(label, label) for label in labels))
    if not changes.retired:
        return current, []
    return (
        [label for label in current if label not in changes.retired],
        [label for label in current if label in changes.retired],
    )
