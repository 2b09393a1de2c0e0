"""Run behavioural tests on a SavedModel whose answers are known."""

from pathlib import Path
from typing import Any

import pytest

from components.behaviour.executor import run_tests, sample_texts
from components.behaviour.results import (
    MOST_FAILURES,
    Failure,
    GroupResult,
    Results,
    gate_results,
)
from components.behaviour.settings import BehaviourTests
from tests.components.behaviour import keyword_model

ROWS = [f"refund {number}" for number in range(300)] + ["refund 0", "no keyword", "SHIPPING"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(keyword_model.export(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def test_split(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("examples") / "Split-test"
    keyword_model.write_test_split(folder, ROWS)
    return str(folder)


def texts(*cases: dict[str, Any], bound: float = 1, **group: Any) -> dict[str, Any]:
    return {"texts": [{"name": "g", "pass_rate": bound, "cases": cases, **group}]}


def edits(edit: str, bound: float = 1, **group: Any) -> dict[str, Any]:
    return {
        "slots": {"label": keyword_model.LABELS},
        "edits": [{"name": "g", "pass_rate": bound, "edit": edit, **group}],
    }


def run_group(model: str, tests: dict[str, Any], test_split: str = "/nowhere") -> GroupResult:
    (group,) = run_tests(model, test_split, BehaviourTests.model_validate(tests)).groups
    return group


def test_judges_texts_by_labels_that_must_and_must_not_be_given(model: str) -> None:
    group = run_group(
        model,
        texts(
            {"text": "refund", "given": ["refund"], "not_given": ["*"]},
            {"text": "refund by shipping", "given": ["refund"], "not_given": ["billing"]},
            {"text": "refund by shipping", "given": ["refund"], "not_given": ["*"]},
            {"text": "nothing", "given": ["refund", "billing"]},
            bound=0.5,
        ),
    )
    assert (group.cases, group.passed, group.rate, group.meets_bound) == (4, 2, 0.5, True)
    unwanted, missing = group.failures
    assert (unwanted.expected, unwanted.given) == (["refund"], ["refund", "shipping"])
    assert [(wrong.label, wrong.must_be_given, wrong.threshold) for wrong in unwanted.wrong] == [
        ("shipping", False, 0.7)
    ]
    assert [(wrong.label, wrong.must_be_given) for wrong in missing.wrong] == [("refund", True), ("billing", True)]
    assert missing.wrong[0].probability == pytest.approx(0.1)


def test_an_edit_that_changes_the_labels_given_fails(model: str) -> None:
    group = run_group(model, edits("upper_case", 0.6, texts=["refund and billing", "no keyword"]))
    assert (group.cases, group.passed, group.meets_bound) == (2, 1, False)
    (failure,) = group.failures
    assert (failure.original, failure.text) == ("refund and billing", "REFUND AND BILLING")
    assert (failure.expected, failure.given) == (["billing", "refund"], [])
    assert failure.wrong[0].before == pytest.approx(0.9)
    (gate,) = gate_results(Results(groups=[group]))
    assert not gate.passed
    assert gate.note == (
        'behaviour[g] is 0.5, 1 of 2 cases, below the bound of 0.6; for example "REFUND AND BILLING": billing is not'
        " given (0.100 after 0.900, threshold 0.500), refund is not given (0.100 after 0.900, threshold 0.300)"
    )


def test_exchanging_names_that_matter_to_the_model_fails(model: str) -> None:
    group = run_group(model, edits("names", names="label", texts=["my {label}", "nothing"]))
    assert (group.cases, group.passed) == (4, 0)


def test_names_texts_of_the_test_split_by_row_and_never_quotes_them(model: str, test_split: str) -> None:
    group = run_group(model, edits("upper_case", test_texts=250), test_split)
    assert (group.cases, len(group.failures)) == (250, MOST_FAILURES)
    assert group.failures[0].row is not None
    (gate,) = gate_results(Results(groups=[group]))
    assert f"for example row {group.failures[0].row} of the test split, edited: refund is not given" in gate.note
    assert "REFUND" not in gate.note


def test_the_sample_of_texts_depends_on_the_seed_alone(test_split: str, tmp_path: Path) -> None:
    chosen = sample_texts(test_split, 20, seed=0)
    assert len({question.text for question in chosen}) == 20
    keyword_model.write_test_split(tmp_path / "reversed", list(reversed(ROWS)))
    reordered = sample_texts(str(tmp_path / "reversed"), 20, seed=0)
    assert [question.text for question in reordered] == [question.text for question in chosen]
    assert sample_texts(test_split, 10, seed=0) == chosen[:10]
    assert sample_texts(test_split, 20, seed=1) != chosen
    everything = sample_texts(test_split, 10_000, seed=0)
    assert sorted(question.text for question in everything) == sorted(set(ROWS))
    assert {question.row for question in everything if question.text == "refund 0"} == {"r0"}


def test_a_group_without_cases_fails_unless_it_only_measures(model: str, test_split: str) -> None:
    group = run_group(model, edits("names", 0.1, names="label", texts=["none"]), test_split)
    assert (group.cases, group.rate, group.meets_bound) == (0, None, False)
    assert group.model_copy(update={"bound": 0.0}).meets_bound, "a bound of 0 only measures"
    (gate,) = gate_results(Results(groups=[group]))
    assert gate.note == "behaviour[g] has no case: edit names changes none of its texts"


def test_asks_a_model_of_pairs(tmp_path: Path) -> None:
    model = str(keyword_model.export(tmp_path, pair=True))
    tests = texts({"text": "my ", "text_pair": "refund", "given": ["refund"]}, {"text": "", "text_pair": ""}, given=[])
    assert run_group(model, tests).passed == 2
    group = run_group(model, edits("upper_case", texts=[{"text": "my", "text_pair": "refund"}]))
    assert (group.failures[0].original_pair, group.failures[0].text_pair) == ("refund", "REFUND")


def test_reads_the_results_that_were_written(tmp_path: Path) -> None:
    failure = Failure(text="é\n", expected=["a"], given=[], wrong=[])
    results = Results(groups=[GroupResult(name="g", kind="texts", cases=2, passed=1, bound=0.5, failures=[failure])])
    results.write(str(tmp_path / "results"))
    assert Results.read(str(tmp_path / "results")) == results
