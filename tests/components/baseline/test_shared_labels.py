"""Which labels two models share, and that a record from before there were retired ones is still read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.baseline.shared_labels import lacking, outputs_in_terms_of
from components.registry import ModelRecord

NAMES = list("abcdef")


def record(labels: str, retired: str = "", renamed: str = "") -> ModelRecord:
    """`renamed`: pairs of old and new name, as in "ab cd"."""
    return ModelRecord(
        model_id="m",
        labels=list(labels),
        thresholds=[0.5] * len(labels),
        checkpoint="bert",
        created="2026-01-01T00:00:00+00:00",
        versions={},
        retired=list(retired),
        renamed=dict(renamed.split()),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("baseline", "candidate", "outputs", "lacks"),
    [
        (record("abc"), record("abc"), ["a", "b", "c"], []),
        (record("cab"), record("abc"), ["c", "a", "b"], []),
        (record("ab"), record("abc"), ["a", "b"], ["c"]),
        (record("abc"), record("abc", retired="b"), ["a", None, "c"], []),
        (record("abc", retired="b"), record("abc"), ["a", None, "c"], ["b"]),
        (record("abc", retired="b"), record("abc", retired="c"), ["a", None, None], ["b"]),
        (record("ax"), record("abc", renamed="xb yb"), ["a", "b"], ["c"]),
        (record("ax"), record("ab", retired="b", renamed="xb"), ["a", None], []),
        (record("xy"), record("ab"), [None, None], ["a", "b"]),
        # Two labels that someone has made one by hand: the one of the very name is it, else the first.
        (record("xb"), record("ab", renamed="xb"), [None, "b"], ["a"]),
        (record("xy"), record("ab", renamed="xb yb"), ["b", None], ["a"]),
    ],
)
def test_outputs_are_matched_by_name_and_by_what_was_renamed(
    baseline: ModelRecord, candidate: ModelRecord, outputs: list[str | None], lacks: list[str]
) -> None:
    assert outputs_in_terms_of(baseline, candidate) == outputs
    assert lacking(outputs, candidate) == lacks


@given(*[st.lists(st.sampled_from(NAMES), min_size=1, unique=True)] * 2, *[st.sets(st.sampled_from(NAMES))] * 2)
def test_no_label_is_two_outputs_and_none_that_is_retired(
    mine: list[str], theirs: list[str], retired: set[str], retired_of_theirs: set[str]
) -> None:
    candidate, baseline = record("".join(mine), "".join(retired)), record("".join(theirs), "".join(retired_of_theirs))
    outputs = outputs_in_terms_of(baseline, candidate)
    shared = [label for label in outputs if label is not None]
    assert set(shared) == (set(mine) - retired) & (set(theirs) - retired_of_theirs)
    assert len(set(shared)) == len(shared)
    assert outputs_in_terms_of(candidate, candidate) == candidate.outputs


def test_a_record_from_before_labels_were_retired_is_read() -> None:
    old = json.loads(record("ab").model_dump_json(exclude={"retired", "renamed"}))
    read = ModelRecord.model_validate(old)
    assert (read.outputs, read.renamed) == (["a", "b"], {})
