"""What becomes of each gate, on numbers made up; that TFMA decides its own likewise is the Evaluator's test."""

from typing import Any

import pytest

from components.blessing.judge import gate_results, small_slices
from components.blessing.judgement import Judgement, judgement, read_judgement, write_judgement
from components.evaluation.gates.gate import parse_gate
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.catalogue import AVERAGES, LABEL_METRICS
from components.evaluation.metrics.values import Compared, Evaluation, LabelMetrics, Metrics


def measured(examples: int = 100, f1: dict[str, tuple[float | None, int]] | None = None, **averages: Any) -> Metrics:
    """`f1`: label -> its F1 and support; every other number is undefined."""
    labels = f1 if f1 is not None else {"refund": (0.5, 60), "praise": (0.7, 40), "rare": (0.1, 3)}
    nothing = dict.fromkeys(LABEL_METRICS)
    return Metrics(
        examples=examples,
        **(dict.fromkeys(AVERAGES) | averages),
        per_label={
            label: LabelMetrics(**(nothing | {"f1": value}), support=support)
            for label, (value, support) in labels.items()
        },
    )


def outcome(gate: str, evaluation: Evaluation, **options: Any) -> GateResult:
    (result,) = gate_results([parse_gate(gate)], evaluation, **options)
    return result


def alone(**numbers: Any) -> Evaluation:
    return Evaluation(candidate=measured(**numbers), baseline=None, slices={})


def test_what_is_better_the_lower_is_bounded_from_above() -> None:
    passed = outcome("hamming_loss <= 0.1", alone(hamming_loss=0.1))
    assert (passed.passed, passed.lower_is_better, passed.value, passed.bound) == (True, True, 0.1, 0.1)
    assert passed.note == "hamming_loss is 0.1, at most the bound of 0.1"
    failed = outcome("hamming_loss <= 0.1", alone(hamming_loss=0.2))
    assert (failed.passed, failed.note) == (False, "hamming_loss is 0.2, above the bound of 0.1")
    compared = Evaluation(candidate=measured(hamming_loss=0.2), baseline=measured(hamming_loss=0.1), slices={})
    assert not outcome("hamming_loss <= baseline + 0.05", compared).passed
    assert outcome("hamming_loss <= baseline + 0.2", compared).passed
    assert not outcome("hamming_loss <= 0.1", alone()).passed


def test_a_gate_on_every_label_tells_the_worst_and_who_was_not_asked() -> None:
    failed = outcome("f1[*] >= 0.6 where support >= 10", alone())
    assert (failed.passed, failed.label, failed.value, failed.support) == (False, "refund", 0.5, 60)
    assert failed.note == "1 of 2 labels: f1[refund] is 0.5, below the bound of 0.6; not asked of rare"
    passed = outcome("f1[*] >= 0.4 where support >= 10", alone())
    assert (passed.passed, passed.label) == (True, "refund")
    assert passed.note.startswith("2 of 2 labels keep it, the nearest: f1[refund] is 0.5, at least")
    everyone = outcome("f1[*] >= 0.6", alone())
    assert everyone.note.startswith("2 of 3 labels: f1[rare] is 0.1, below the bound of 0.6, f1[refund] is 0.5")
    nobody = outcome("f1[*] >= 0.6 where support >= 1000", alone())
    assert (nobody.passed, nobody.asked) == (True, False)
    assert nobody.note == "of no label can it be asked: f1[*] >= 0.6 where support >= 1000 is not asked"
    undefined = outcome("f1[*] >= 0", alone(f1={"a": (1.0, 9), "b": (None, 9)}))
    assert (undefined.passed, undefined.label) == (False, "b")


def test_a_gate_on_every_label_against_the_baseline_spares_the_labels_it_lacks() -> None:
    baseline = measured(f1={"refund": (0.56, 60), "rare": (0.9, 3)})
    evaluation = Evaluation(candidate=measured(), baseline=baseline, slices={})
    failed = outcome("f1[*] >= baseline - 0.05 where support >= 50", evaluation)
    assert (failed.passed, failed.value) == (False, 0.5)
    assert failed.bound == pytest.approx(0.51)
    assert outcome("f1[*] >= baseline - 0.07 where support >= 10", evaluation).passed
    assert not outcome("f1[*] >= baseline - 0.07", evaluation).passed
    without = outcome("f1[*] >= baseline - 0.05 where support >= 50", alone(f1={"refund": (0.5, 60)}))
    assert (without.passed, without.asked) == (True, False)
    assert without.note == "no baseline yet: f1[*] >= baseline - 0.05 where support >= 50 is not asked"


def test_a_gate_on_one_label_may_ask_for_support_too() -> None:
    assert not outcome("f1[rare] >= 0.5", alone()).passed
    spared = outcome("f1[rare] >= 0.5 where support >= 4", alone())
    assert (spared.passed, spared.asked, spared.support) == (True, False, 3)
    assert spared.note == "rare has 3 examples, fewer than 4: f1[rare] >= 0.5 where support >= 4 is not asked"


def sliced() -> Evaluation:
    return Evaluation(
        candidate=measured(macro_auc=0.9),
        baseline=measured(macro_auc=0.9),
        slices={
            "language=zh": {"candidate": measured(macro_auc=0.7, examples=80), "baseline": measured(macro_auc=0.85)},
            "channel=mail, language=zh": {"candidate": measured(macro_auc=0.1, examples=20), "baseline": measured()},
        },
    )


def test_a_slice_is_judged_by_its_own_numbers() -> None:
    failed = outcome("auc in language=zh >= 0.8", sliced(), min_support=50)
    assert (failed.passed, failed.value, failed.slice, failed.support) == (False, 0.7, "language=zh", 80)
    assert failed.note == "macro_auc in language=zh is 0.7, below the bound of 0.8"
    assert not outcome("auc in language=zh >= baseline - 0.1", sliced()).passed
    assert outcome("auc in language=zh >= baseline - 0.2", sliced()).passed
    label = outcome("f1[refund] in language=zh >= 0.5", sliced(), min_support=50)
    assert (label.passed, label.support, label.note[:25]) == (True, 60, "f1[refund] in language=zh")


def test_a_small_slice_never_gates() -> None:
    spared = outcome("auc in language=zh, channel=mail >= 0.8", sliced(), min_support=50)
    assert (spared.passed, spared.asked, spared.support) == (True, False, 20)
    assert spared.note.startswith("channel=mail, language=zh has 20 examples, evaluation.min_support is 50: auc in")
    assert not outcome("auc in language=zh, channel=mail >= 0.8", sliced(), min_support=20).passed
    assert small_slices(sliced(), 50) == {"channel=mail, language=zh": 20}


def test_a_slice_without_examples_is_spared_only_if_the_schema_knows_it() -> None:
    gate = "auc in language=zhh >= 0.8"
    spared = outcome(gate, sliced(), min_support=0)
    assert (spared.passed, spared.asked, spared.support) == (True, False, 0)
    failed = outcome(gate, sliced(), min_support=50, unverified=[gate])
    assert not failed.passed
    assert "no example of the test split is in language=zhh: is it misspelt?" in failed.note


def test_a_slices_average_is_compared_over_the_labels_that_both_have() -> None:
    compared = Compared(
        averages={"candidate": {"macro_auc": 0.6}, "baseline": {"macro_auc": 0.65}},
        change_intervals={"macro_auc": (-0.1, 0.01)},
    )
    evaluation = sliced().model_copy(update={"compared": {"language=zh": compared}})
    result = outcome("auc in language=zh >= baseline - 0.1", evaluation)
    assert (result.passed, result.value, result.change_interval) == (True, 0.6, (-0.1, 0.01))
    assert result.note.startswith("macro_auc in language=zh over the labels that both have is 0.6 after 0.65")


def test_a_baseline_that_was_set_aside_is_called_so() -> None:
    result = outcome("macro_auc >= baseline", alone(macro_auc=0.5), no_baseline="the baseline was set aside")
    assert (result.passed, result.asked) == (True, False)
    assert result.note == "the baseline was set aside: macro_auc >= baseline is not asked"


def test_what_the_evaluator_did_not_bless_is_never_blessed(tmp_path: Any) -> None:
    good, bad = (outcome(f"macro_auc >= {bound}", alone(macro_auc=0.5)) for bound in (0.4, 0.6))
    assert judgement([good], evaluator_blessed=True).blessed
    unblessed = judgement([good], evaluator_blessed=False)
    assert not unblessed.blessed
    assert unblessed.reasons == [
        "the Evaluator did not bless the model: a TFMA threshold failed, see its validation result"
    ]
    for evaluator_blessed in (True, False):
        assert judgement([good, bad], evaluator_blessed=evaluator_blessed).reasons == [bad.note]
    write_judgement(str(tmp_path), unblessed)
    assert read_judgement(str(tmp_path)) == unblessed


def test_that_nothing_was_asked_is_said() -> None:
    assert judgement([], evaluator_blessed=True) == Judgement(
        blessed=True, reasons=[], note="no gate is configured: nothing was asked of the model"
    )
    not_asked = outcome("macro_auc >= baseline", alone(macro_auc=0.5))
    assert judgement([not_asked], evaluator_blessed=True).note == (
        "no gate could be asked: nothing was asked of the model"
    )
