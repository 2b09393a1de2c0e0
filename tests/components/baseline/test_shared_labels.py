"""Labels that two models share."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.baseline.shared_labels import match_outputs, missing_labels
from components.registry import ModelRecord

NAMES = list("abcdef")


def make_record(labels: str, retired: str = "", renamed: str = "") -> ModelRecord:
    """Return a record of a model with labels of one letter; `renamed`: pairs of old and new name, as in "ab cd"."""
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
    ("baseline", "candidate", "outputs", "missing"),
    [
        (make_record("abc"), make_record("abc"), ["a", "b", "c"], []),
        (make_record("cab"), make_record("abc"), ["c", "a", "b"], []),
        (make_record("ab"), make_record("abc"), ["a", "b"], ["c"]),
        (make_record("abc"), make_record("abc", retired="b"), ["a", None, "c"], []),
        (make_record("abc", retired="b"), make_record("abc"), ["a", None, "c"], ["b"]),
        (make_record("abc", retired="b"), make_record("abc", retired="c"), ["a", None, None], ["b"]),
        (make_record("ax"), make_record("abc", renamed="xb yb"), ["a", "b"], ["c"]),
        (make_record("ax"), make_record("ab", retired="b", renamed="xb"), ["a", None], []),
        (make_record("xy"), make_record("ab"), [None, None], ["a", "b"]),
        # Two labels that were merged by hand: the one of the same name is matched, else the first.
        (make_record("xb"), make_record("ab", renamed="xb"), [None, "b"], ["a"]),
        (make_record("xy"), make_record("ab", renamed="xb yb"), ["b", None], ["a"]),
    ],
)
def test_matches_outputs_by_present_and_former_names(
    baseline: ModelRecord, candidate: ModelRecord, outputs: list[str | None], missing: list[str]
) -> None:
    assert match_outputs(baseline, candidate) == outputs
    assert missing_labels(outputs, candidate) == missing


@given(*[st.lists(st.sampled_from(NAMES), min_size=1, unique=True)] * 2, *[st.sets(st.sampled_from(NAMES))] * 2)
def test_matches_each_shared_label_once_and_no_retired_one(
    names: list[str], baseline_names: list[str], retired: set[str], baseline_retired: set[str]
) -> None:
    candidate = make_record("".join(names), "".join(retired))
    baseline = make_record("".join(baseline_names), "".join(baseline_retired))
    outputs = match_outputs(baseline, candidate)
    shared = [label for label in outputs if label is not None]
    assert set(shared) == (set(names) - retired) & (set(baseline_names) - baseline_retired)
    assert len(set(shared)) == len(shared)
    assert match_outputs(candidate, candidate) == candidate.outputs


def test_reads_a_record_from_before_labels_could_be_retired() -> None:
    old = json.loads(make_record("ab").model_dump_json(exclude={"retired", "renamed"}))
    read = ModelRecord.model_validate(old)
    assert (read.outputs, read.renamed) == (["a", "b"], {})
