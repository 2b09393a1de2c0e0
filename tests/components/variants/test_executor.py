"""A variant that cannot be made, tried or blessed is left out with a reason; nothing else suffers."""

from pathlib import Path
from typing import Any

import pytest

from components.blessing.judge import judge_gates
from components.common.outcome import Untried
from components.evaluation.gates.gate import VariantGate, parse_gate
from components.evaluation.metrics.values import Evaluation, LabelMetrics, Metrics
from components.variants import executor
from components.variants.executor import _own_gates, _Workshop
from components.variants.measure import Rows

_ROWS = Rows([], [], [], [])


def metrics(**f1: float) -> Metrics:
    per_label = {
        label: LabelMetrics(precision=value, recall=value, f1=value, auc=None, pr_auc=None, support=60)
        for label, value in f1.items()
    }
    names = ("macro_f1", "micro_f1", "macro_precision", "micro_precision", "macro_recall", "micro_recall")
    mean = sum(f1.values()) / len(f1)
    return Metrics(examples=100, macro_auc=None, macro_pr_auc=None, per_label=per_label, **dict.fromkeys(names, mean))


def test_a_variant_must_hold_against_the_full_model_on_average_and_on_every_label() -> None:
    gates = [parse_gate(gate, VariantGate) for gate in ("macro_f1 >= full - 0.005", "f1[*] >= full - 0.03")]
    evaluation = Evaluation(candidate=metrics(a=0.82, b=0.74), baseline=metrics(a=0.78, b=0.78), slices={})
    on_average, by_label = judge_gates(gates, evaluation)
    assert on_average.passed
    assert not by_label.passed
    assert by_label.note == ("1 of 2 labels fail: f1[b] is 0.74, the full model's is 0.78: below the bound of 0.75")


def test_gates_of_the_full_model_apply_unless_they_need_another_model_or_a_slice() -> None:
    texts = ("macro_f1 >= 0.8", "f1[a] >= 0.5", "macro_f1 >= baseline - 0.1", "f1 in channel=mail >= 0.1")
    assert [gate.text for gate in _own_gates([parse_gate(text) for text in texts])] == [
        "macro_f1 >= 0.8",
        "f1[a] >= 0.5",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no kernel\nmore"), "cannot be made: RuntimeError: no kernel"),
        (Untried("canary: the model was not judged"), "not tried: canary: the model was not judged"),
    ],
)
def test_whatever_goes_wrong_is_a_reason_against_the_variant_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(executor, "maker_of", fail)
    nothing: Any = None
    result = _Workshop(nothing, nothing, _ROWS, _ROWS).make("int8", str(tmp_path / "int8"))
    assert (result.name, result.holds, result.reasons) == ("int8", False, [reason])
    assert not (tmp_path / "int8").exists()
