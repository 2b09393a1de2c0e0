"""What a configuration may ask for, checked before a run."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest
from pydantic import ValidationError

from components.evaluation.gates.gate import VariantGate, parse_gate
from components.trainer.settings import TrainingSettings
from components.variants.settings import check_variants
from schema.errors import Refused
from schema.label_list import LabelList

_LABELS = LabelList(("refund", "praise"))


def training(*variants: str, gates: list[str] | None = None) -> TrainingSettings:
    export = {"variants": list(variants)} | ({} if gates is None else {"variant_gates": gates})
    return TrainingSettings.model_validate({"export": export})


def test_a_variant_gate_compares_with_the_full_model() -> None:
    gate = parse_gate("macro_f1 >= full - 0.005", VariantGate)
    assert (gate.metric, gate.bound, gate.against_baseline) == ("macro_f1", -0.005, True)
    with pytest.raises(Refused, match=r"expected a number, or full and a change"):
        parse_gate("macro_f1 >= baseline - 0.005", VariantGate)
    with pytest.raises(Refused, match=r"expected a number, or baseline and a change"):
        parse_gate("macro_f1 >= full - 0.005")


def test_variants_have_gates_by_default_and_travel_as_json() -> None:
    settings = training("int8")
    assert settings.export.variant_gates[0].text == "macro_f1 >= full - 0.005"
    assert TrainingSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncation": "head_tail", "is_pair": False}, "variants: onnx, int8: their tokenizer keeps the head of a"),
        ({"truncation": "head", "is_pair": True}, "variants: onnx, int8: ONNX variants read single texts only"),
    ],
)
def test_refuses_what_onnx_variants_cannot_do(options: dict[str, object], message: str) -> None:
    check_variants(training("bfloat16"), _LABELS, **options)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=message):
        check_variants(training("bfloat16", "onnx", "int8"), _LABELS, **options)  # type: ignore[arg-type]


def test_refuses_onnx_variants_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "onnxruntime" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    check_variants(training("bfloat16"), _LABELS, truncation="head", is_pair=False)
    with pytest.raises(Refused) as refused:
        check_variants(training("int8"), _LABELS, truncation="head", is_pair=False)
    assert str(refused.value) == (
        "training.export.variants: int8: onnxruntime is not installed: install the extra `onnx` ('.[onnx]'), or leave"
        " the variant out"
    )


def test_refuses_gates_that_cannot_be_asked() -> None:
    with pytest.raises(Refused, match="refnd"):
        check_variants(training(gates=["f1[refnd] >= full"]), _LABELS, truncation="head", is_pair=False)
    gates = ["macro_f1 in channel=mail >= full"]
    with pytest.raises(Refused, match="variants are not measured by slice"):
        check_variants(training("int8", gates=gates), _LABELS, truncation="head", is_pair=False)


def test_refuses_a_variant_that_is_named_twice() -> None:
    with pytest.raises(ValidationError, match="name each variant once"):
        training("onnx", "onnx")
