"""Decisions on gates, from given metrics. `test_evaluator` shows that TFMA decides its thresholds alike."""

from typing import Any

import pytest

from components.blessing.judge import judge_gates, small_slices
from components.evaluation.gates.gate import parse_gate
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.catalogue import average_names, label_metric_names
from components.evaluation.metrics.values import Compared, Evaluation, LabelMetrics, Metrics


def make_metrics(
    examples: int = 100, f1: dict[str, tuple[float | None, int]] | None = None, **averages: Any
) -> Metrics:
    """Return metrics of which all are undefined but those given; `f1`: label -> its F1 and support."""
    labels = f1 if f1 is not None else {"refund": (0.5, 60), "praise": (0.7, 40), "rare": (0.1, 3)}
    undefined = dict.fromkeys(label_metric_names())
    return Metrics(
        examples=examples,
        **(dict.fromkeys(average_names()) | averages),
        per_label={
            label: LabelMetrics(**(undefined | {"f1": value}), support=support)
            for label, (value, support) in labels.items()
        },
    )


def without_baseline(**metrics: Any) -> Evaluation:
    return Evaluation(candidate=make_metrics(**metrics), baseline=None, slices={})


def judge(gate: str, evaluation: Evaluation, **options: Any) -> GateResult:
    (result,) = judge_gates([parse_gate(gate)], evaluation, **options)
    return result


def test_metrics_where_lower_is_better_have_an_upper_bound() -> None:
    passed = judge("hamming_loss <= 0.1", without_baseline(hamming_loss=0.1))
    assert (passed.passed, passed.lower_is_better, passed.value, passed.bound) == (True, True, 0.1, 0.1)
    assert passed.note == "hamming_loss is 0.1, at most the bound of 0.1"
    failed = judge("hamming_loss <= 0.1", without_baseline(hamming_loss=0.2))
    assert (failed.passed, failed.note) == (False, "hamming_loss is 0.2, above the bound of 0.1")
    evaluation = Evaluation(
        candidate=make_metrics(hamming_loss=0.2), baseline=make_metrics(hamming_loss=0.1), slices={}
    )
    assert not judge("hamming_loss <= baseline + 0.05", evaluation).passed
    assert judge("hamming_loss <= baseline + 0.2", evaluation).passed
    assert not judge("hamming_loss <= 0.1", without_baseline()).passed


def test_a_gate_on_every_label_reports_the_worst_and_those_not_asked() -> None:
    failed = judge("f1[*] >= 0.6 where support >= 10", without_baseline())
    assert (failed.passed, failed.label, failed.value, failed.support) == (False, "refund", 0.5, 60)
    assert failed.note == "1 of 2 labels fail: f1[refund] is 0.5, below the bound of 0.6; not asked for rare"
    passed = judge("f1[*] >= 0.4 where support >= 10", without_baseline())
    assert (passed.passed, passed.label) == (True, "refund")
    assert passed.note.startswith("2 of 2 labels pass, the closest: f1[refund] is 0.5, at least")
    all_labels = judge("f1[*] >= 0.6", without_baseline())
    assert all_labels.note.startswith("2 of 3 labels fail: f1[rare] is 0.1, below the bound of 0.6, f1[refund] is 0.5")
    no_label = judge("f1[*] >= 0.6 where support >= 1000", without_baseline())
    assert (no_label.passed, no_label.asked) == (True, False)
    assert no_label.note == "it applies to no label: f1[*] >= 0.6 where support >= 1000 is not asked"
    undefined = judge("f1[*] >= 0", without_baseline(f1={"a": (1.0, 9), "b": (None, 9)}))
    assert (undefined.passed, undefined.label) == (False, "b")


def test_a_gate_on_every_label_against_the_baseline_leaves_out_labels_that_it_lacks() -> None:
    baseline = make_metrics(f1={"refund": (0.56, 60), "rare": (0.9, 3)})
    evaluation = Evaluation(candidate=make_metrics(), baseline=baseline, slices={})
    failed = judge("f1[*] >= baseline - 0.05 where support >= 50", evaluation)
    assert (failed.passed, failed.value) == (False, 0.5)
    assert failed.bound == pytest.approx(0.51)
    assert judge("f1[*] >= baseline - 0.07 where support >= 10", evaluation).passed
    assert not judge("f1[*] >= baseline - 0.07", evaluation).passed
    unasked = judge("f1[*] >= baseline - 0.05 where support >= 50", without_baseline(f1={"refund": (0.5, 60)}))
    assert (unasked.passed, unasked.asked) == (True, False)
    assert unasked.note == "no baseline yet: f1[*] >= baseline - 0.05 where support >= 50 is not asked"


def test_a_gate_on_one_label_may_require_support() -> None:
    assert not judge("f1[rare] >= 0.5", without_baseline()).passed
    unasked = judge("f1[rare] >= 0.5 where support >= 4", without_baseline())
    assert (unasked.passed, unasked.asked, unasked.support) == (True, False, 3)
    assert unasked.note == "rare has 3 examples, fewer than 4: f1[rare] >= 0.5 where support >= 4 is not asked"


def test_a_gate_on_a_count_is_marked_as_one() -> None:
    assert judge("false_positives[refund] <= 5", without_baseline()).is_count
    assert not judge("f1[refund] >= 0.5", without_baseline()).is_count


def with_slices() -> Evaluation:
    return Evaluation(
        candidate=make_metrics(macro_auc=0.9),
        baseline=make_metrics(macro_auc=0.9),
        slices={
            "language=zh": {
                "candidate": make_metrics(macro_auc=0.7, examples=80),
                "baseline": make_metrics(macro_auc=0.85),
            },
            "channel=mail, language=zh": {
                "candidate": make_metrics(macro_auc=0.1, examples=20),
                "baseline": make_metrics(),
            },
        },
    )


def test_a_slice_is_judged_by_its_own_metrics() -> None:
    failed = judge("auc in language=zh >= 0.8", with_slices(), min_support=50)
    assert (failed.passed, failed.value, failed.slice, failed.support) == (False, 0.7, "language=zh", 80)
    assert failed.note == "macro_auc in language=zh is 0.7, below the bound of 0.8"
    assert not judge("auc in language=zh >= baseline - 0.1", with_slices()).passed
    assert judge("auc in language=zh >= baseline - 0.2", with_slices()).passed
    label = judge("f1[refund] in language=zh >= 0.5", with_slices(), min_support=50)
    assert (label.passed, label.support, label.note[:25]) == (True, 60, "f1[refund] in language=zh")


def test_skips_gates_on_small_slices() -> None:
    unasked = judge("auc in language=zh, channel=mail >= 0.8", with_slices(), min_support=50)
    assert (unasked.passed, unasked.asked, unasked.support) == (True, False, 20)
    assert unasked.note.startswith("channel=mail, language=zh has 20 examples, evaluation.min_support is 50: auc in")
    assert not judge("auc in language=zh, channel=mail >= 0.8", with_slices(), min_support=20).passed
    assert small_slices(with_slices(), 50) == {"channel=mail, language=zh": 20}


def test_skips_a_slice_without_examples_only_if_the_schema_lists_it() -> None:
    gate = "auc in language=zhh >= 0.8"
    unasked = judge(gate, with_slices(), min_support=0)
    assert (unasked.passed, unasked.asked, unasked.support) == (True, False, 0)
    failed = judge(gate, with_slices(), min_support=50, unverified=[parse_gate(gate)])
    assert not failed.passed
    assert "no example of the test split is in language=zhh: is it misspelt?" in failed.note


def test_an_average_on_a_slice_is_compared_over_the_labels_that_both_models_have() -> None:
    compared = Compared(
        averages={"candidate": {"macro_auc": 0.6}, "baseline": {"macro_auc": 0.65}},
        change_intervals={"macro_auc": (-0.1, 0.01)},
    )
    evaluation = with_slices().model_copy(update={"compared": {"language=zh": compared}})
    result = judge("auc in language=zh >= baseline - 0.1", evaluation)
    assert (result.passed, result.value, result.change_interval) == (True, 0.6, (-0.1, 0.01))
    assert result.note.startswith(
        "macro_auc in language=zh over the labels that both models have is 0.6, the baseline's is 0.65: at least"
    )


def test_notes_that_the_baseline_was_set_aside() -> None:
    evaluation = without_baseline(macro_auc=0.5)
    result = judge("macro_auc >= baseline", evaluation, no_baseline="the baseline was set aside")
    assert (result.passed, result.asked) == (True, False)
    assert result.note == "the baseline was set aside: macro_auc >= baseline is not asked"
