"""What gates may be written, and what is said of others."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.evaluation.gates import Gate, check_gates, parse_gate
from components.evaluation.settings import EvaluationSettings
from schema.errors import Refused
from schema.label_list import LabelList

LABELS = LabelList(("billing", "refund", "shipping"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("macro_f1 >= 0.45", Gate("macro_f1 >= 0.45", "macro_f1", None, 0.45, baseline=False)),
        ("  micro_recall>=.5 ", Gate("micro_recall>=.5", "micro_recall", None, 0.5, baseline=False)),
        ("f1[refund] >= 1", Gate("f1[refund] >= 1", "f1", "refund", 1.0, baseline=False)),
        ("macro_f1 >= baseline", Gate("macro_f1 >= baseline", "macro_f1", None, 0.0, baseline=True)),
        ("pr_auc[a] >= baseline - 0.01", Gate("pr_auc[a] >= baseline - 0.01", "pr_auc", "a", -0.01, baseline=True)),
        ("auc[a] >= baseline+0.02", Gate("auc[a] >= baseline+0.02", "auc", "a", 0.02, baseline=True)),
        ("recall[ two words ] >= 0.5", Gate("recall[ two words ] >= 0.5", "recall", "two words", 0.5, baseline=False)),
        ("precision[a[0]] >= 0.5", Gate("precision[a[0]] >= 0.5", "precision", "a[0]", 0.5, baseline=False)),
        ("f1[价格 >= 5] >= 0.5", Gate("f1[价格 >= 5] >= 0.5", "f1", "价格 >= 5", 0.5, baseline=False)),
    ],
)
def test_a_gate_is_a_metric_a_label_and_a_bound(text: str, expected: Gate) -> None:
    assert parse_gate(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("macr_f1 >= 0.4", "column 1, at 'macr_f1': there is no metric 'macr_f1'; did you mean 'macro_f1'?"),
        ("macro_f1 > 0.4", "column 10, at '>': expected '>='"),
        ("macro_f1 <= 0.4", "column 10, at '<=': expected '>='"),
        ("macro_f1 >= 45", "column 13, at '45': 45 can never decide anything: metrics lie between 0 and 1"),
        ("macro_f1 >= -0.1", "column 13, at '-0.1': expected a number"),
        ("macro_f1 >= nan", "column 13, at 'nan': expected a number"),
        ("macro_f1 >= 0.4.5", "column 13, at '0.4.5': expected a number"),
        ("macro_f1 >= baseline - 1", "column 24, at '1': 1 can never decide anything"),
        ("macro_f1 >= baseline 0.01", "column 22, at '0.01': expected the end of the gate"),
        ("macro_f1 >=", "column 12, at its end: expected a number"),
        ("f1 >= 0.4", "f1 is one label's: write f1[LABEL], or macro_f1 for the average"),
        ("macro_f1[refund] >= 0.4", "column 9, at '[refund]': macro_f1 is an average of all labels"),
        ("f1[] >= 0.4", "column 3, at '[]': expected a label and ']'"),
        ("f1[refund >= 0.4", "column 3, at '[refund': expected a label and ']'"),
        ("", "column 1, at its end: expected a metric"),
    ],
)
def test_another_text_is_refused_with_the_column_and_the_word(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_gate(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_gate_on_an_unknown_label_is_refused_with_the_nearest() -> None:
    check_gates([parse_gate("f1[refund] >= 0.4"), parse_gate("macro_f1 >= 0.4")], LABELS)
    with pytest.raises(Refused, match=r"there is no label 'refnd'; did you mean 'refund'\?"):
        check_gates([parse_gate("f1[refnd] >= 0.4")], LABELS)
    with pytest.raises(Refused, match="the labels are: billing, refund, shipping"):
        check_gates([parse_gate("f1[*] >= 0.4")], LABELS)


def test_a_gate_on_a_label_of_the_past_says_what_became_of_it() -> None:
    labels = LabelList(("billing", "refund"), frozenset({"billing"}), {"money": "refund"})
    with pytest.raises(Refused, match="label 'billing' is retired; take the gate out"):
        check_gates([parse_gate("f1[billing] >= 0.4")], labels)
    with pytest.raises(Refused, match="label 'money' is called 'refund' now"):
        check_gates([parse_gate("f1[money] >= 0.4")], labels)
    with pytest.raises(Refused, match=r"the labels are: refund$"):
        check_gates([parse_gate("f1[*] >= 0.4")], labels)


def test_gates_must_be_said_even_if_there_are_none() -> None:
    assert EvaluationSettings(gates=[]).gates == []
    with pytest.raises(ValidationError, match="gates"):
        EvaluationSettings()  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="column 10"):
        EvaluationSettings(gates=["macro_f1 = 1"])


@pytest.mark.parametrize("slices", [["labels"], ["language", "language"]])
def test_slices_that_make_no_sense_are_refused(slices: list[str]) -> None:
    with pytest.raises(ValidationError, match="slices"):
        EvaluationSettings(gates=[], slices=slices)


def test_settings_and_registry_are_read_without_tensorflow() -> None:
    modules = "components.evaluation.settings, components.registry, components.baseline.record"
    code = f"import sys, {modules}; sys.exit(any(m in sys.modules for m in ('tensorflow', 'tfx', 'apache_beam')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
