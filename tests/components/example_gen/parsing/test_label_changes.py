"""Labels of rows that were written before a change of the label list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.parsing.label_changes import LabelChanges, apply_changes, changes_of
from schema.label_list import LabelList

CHANGES = changes_of(LabelList(("a", "b", "c"), frozenset({"c"}), {"old": "a", "older": "a", "gone": "c"}))


def test_takes_changes_from_the_schema_and_reads_them_back_from_json() -> None:
    assert LabelChanges(renamed={"old": "a", "older": "a", "gone": "c"}, retired=("c",)) == CHANGES
    assert LabelChanges.model_validate_json(CHANGES.model_dump_json()) == CHANGES
    assert changes_of(LabelList(("a",))) == LabelChanges()


@pytest.mark.parametrize(
    ("labels", "current", "dropped"),
    [
        ([], [], []),
        (["b", "a"], ["b", "a"], []),
        (["old", "b", "a", "older"], ["a", "b"], []),
        (["c", "b"], ["b"], ["c"]),
        (["gone", "c"], [], ["c"]),
        (["unknown", "old"], ["unknown", "a"], []),
    ],
)
def test_renames_labels_and_drops_retired_ones(labels: list[str], current: list[str], dropped: list[str]) -> None:
    assert apply_changes(labels, CHANGES) == (current, dropped)


@given(st.lists(st.sampled_from(["a", "b", "c", "old", "older", "gone", "unknown"])))
def test_keeps_every_label_once_and_is_idempotent(labels: list[str]) -> None:
    current, dropped = apply_changes(labels, CHANGES)
    renamed = [CHANGES.renamed.get(label, label) for label in labels]
    assert sorted(current + dropped) == sorted(set(renamed))
    assert current == sorted(current, key=renamed.index)
    assert apply_changes(current, CHANGES) == (current, [])


def test_leaves_labels_alone_if_there_are_no_changes() -> None:
    assert apply_changes(["c", "old"], LabelChanges()) == (["c", "old"], [])
