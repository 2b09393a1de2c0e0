"""Checks that gates name existing labels and slices."""

import pytest

from components.evaluation.gates.checks import GateNames, check_gates, unverifiable_gates
from components.evaluation.gates.gate import parse_gate
from components.evaluation.settings import EvaluationSettings
from schema.errors import Refused
from schema.label_list import LabelList

NAMES = GateNames(
    LabelList(("billing", "refund", "shipping")),
    EvaluationSettings(gates=[], slices=["language", "channel * language"]).slicing(n_labels=3),
    {"language": ("en", "zh")},
)


def test_refuses_a_gate_on_an_unknown_label_and_names_the_nearest() -> None:
    check_gates([parse_gate(gate) for gate in ("f1[refund] >= 0.4", "macro_f1 >= 0.4", "f1[*] >= 0.4")], NAMES)
    with pytest.raises(Refused, match=r"there is no label 'refnd'; did you mean 'refund'\?"):
        check_gates([parse_gate("f1[refnd] >= 0.4")], NAMES)
    with pytest.raises(Refused, match="known here: billing, refund, shipping"):
        check_gates([parse_gate("f1[?] >= 0.4")], NAMES)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("langauge=zh", "nothing is sliced by langauge; did you mean 'language'? (see evaluation.slices)"),
        ("country=zh", "nothing is sliced by country; known here: labels, text_length, language, channel (see"),
        (
            "channel=mail",
            "nothing is sliced by channel; the slices are by: labels, text_length, language, channel*",
        ),
        ("language=zhh", "there is no slice language=zhh; did you mean 'zh'?"),
        ("language=fr, channel=mail", "there is no slice language=fr; known here: en, zh"),
        ("labels=refnd", "there is no slice labels=refnd; did you mean 'refund'?"),
        ("text_length=0-50", "there is no slice text_length=0-50; did you mean '0-49'?"),
        ("text_length=short", "there is no slice text_length=short; known here: 0-49, 50-99, 100-199, "),
    ],
)
def test_refuses_a_gate_on_a_slice_that_is_not_computed(where: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        check_gates([parse_gate(f"auc in {where} >= 0.8")], NAMES)
    assert message in str(refused.value)


def test_accepts_a_value_that_only_the_data_can_confirm_but_remembers_the_gate() -> None:
    gates = [
        parse_gate(f"micro_f1 in {where} >= 0.4")
        for where in ("channel=mail, language=zh", "language=zh", "labels=refund", "text_length=1000+")
    ]
    check_gates(gates, NAMES)
    assert unverifiable_gates(gates, NAMES) == [gates[0]]


def test_explains_what_happened_to_a_former_label() -> None:
    labels = LabelList(("billing", "refund"), frozenset({"billing"}), {"money": "refund"})
    for label, message in (
        ("billing", "label 'billing' is retired; remove the gate"),
        ("money", "label 'money' was renamed to 'refund'; use the new name"),
        ("?", r"known here: refund$"),
    ):
        with pytest.raises(Refused, match=message):
            check_gates([parse_gate(f"f1[{label}] >= 0.4")], GateNames(labels))
