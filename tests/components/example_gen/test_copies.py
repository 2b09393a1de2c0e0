"""Assignment of copies of a text to one split."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.copies import Rows, assign_copies

ROW = st.tuples(
    st.integers(0, 6),  # text
    st.integers(0, 1),  # labels
    st.integers(0, 2**64 - 1),  # order
    st.integers(0, 2),  # split
    st.integers(0, 7),  # splits allowed besides its own
    st.booleans(),  # pinned
)
Row = tuple[int, int, int, int, int, bool]


def rows_of(rows: list[Row]) -> Rows:
    text, labels, order, split, allowed, pinned = zip(*rows, strict=True) if rows else [()] * 6
    own = [1 << index for index in split]
    return Rows(
        text_key=np.array(text, np.uint64),
        labels_key=np.array(labels, np.uint64),
        order=np.array(order, np.uint64),
        split=np.array(split, np.uint8),
        allowed=np.array([a | b for a, b in zip(allowed, own, strict=True)], np.uint8),
        pinned=np.array(pinned, bool),
    )


@given(st.lists(ROW, max_size=40))
def test_every_text_is_in_one_split_and_every_row_in_an_allowed_one(rows: list[Row]) -> None:
    given_rows = rows_of(rows)
    assignments = assign_copies(given_rows)
    splits = defaultdict(set)
    for row, split in enumerate(assignments.split):
        if not assignments.set_aside[row]:
            splits[rows[row][0]].add(int(split))
            assert given_rows.allowed[row] >> split & 1
        else:
            assert assignments.home[row] != given_rows.split[row]
    assert all(len(indices) == 1 for indices in splits.values())
    # At least one row of every text is kept.
    assert set(splits) == {row[0] for row in rows}


@given(st.lists(ROW, max_size=40))
def test_counts_duplicates_and_contradictions(rows: list[Row]) -> None:
    assignments = assign_copies(rows_of(rows))
    labels_of = defaultdict(list)
    for text, labels, *_ in rows:
        labels_of[text].append(labels)
    repeated = [labels for labels in labels_of.values() if len(labels) > 1]
    assert sorted(map(len, assignments.groups)) == sorted(map(len, repeated))
    assert sum(assignments.contradictory) == sum(len(set(labels)) > 1 for labels in repeated)


@given(st.lists(ROW, max_size=20), st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_rows(rows: list[Row], random: object) -> None:
    unique = list({row[2]: row for row in rows}.values())
    shuffled = list(unique)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = assign_copies(rows_of(unique)), assign_copies(rows_of(shuffled))
    by_order = {row[2]: split for row, split in zip(shuffled, second.split, strict=True)}
    assert [by_order[row[2]] for row in unique] == list(first.split)


def test_the_split_of_a_whole_file_has_precedence_over_a_drawn_one() -> None:
    train_file = (1, 0, 5, 0, 0, True)
    test_file = (1, 0, 9, 2, 0, True)
    drawn = (1, 0, 1, 1, 0b111, False)
    assignments = assign_copies(rows_of([train_file, test_file, drawn]))
    assert list(assignments.split) == [3, 2, 2]  # set aside, stays, moves
    assert list(assign_copies(rows_of([drawn, (1, 0, 2, 0, 0b111, False)])).split) == [1, 1]
