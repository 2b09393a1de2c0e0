"""What gates may be written, and what is said of others."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.evaluation.gates.checks import Known, check_gates, unverified
from components.evaluation.gates.gate import Gate, parse_gate
from components.evaluation.metrics.slicing import bucket_of
from components.evaluation.settings import EvaluationSettings
from schema.errors import Refused
from schema.label_list import LabelList

KNOWN = Known(
    LabelList(("billing", "refund", "shipping")),
    EvaluationSettings(gates=[], slices=["language", "channel * language"]).slicing,
    {"language": ("en", "zh")},
)


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
        ("f1[made in x] >= 0.5", Gate("f1[made in x] >= 0.5", "f1", "made in x", 0.5, baseline=False)),
        ("hamming_loss <= 0.1", Gate("hamming_loss <= 0.1", "hamming_loss", None, 0.1, baseline=False)),
        (
            "false_negatives[a] <= baseline + 3",
            Gate("false_negatives[a] <= baseline + 3", "false_negatives", "a", 3.0, baseline=True),
        ),
        (
            "f1[*] >= baseline - 0.05 where support >= 50",
            Gate("f1[*] >= baseline - 0.05 where support >= 50", "f1", "*", -0.05, baseline=True, least_support=50),
        ),
        (
            "auc in language=zh >= 0.8",
            Gate("auc in language=zh >= 0.8", "macro_auc", None, 0.8, baseline=False, slice=(("language", "zh"),)),
        ),
        (
            "recall[a b] in language=zh, channel=e mail >= baseline",
            Gate(
                "recall[a b] in language=zh, channel=e mail >= baseline",
                "recall",
                "a b",
                0.0,
                baseline=True,
                slice=(("channel", "e mail"), ("language", "zh")),
            ),
        ),
        (
            "macro_f1 in text_length=1000+ >= 0.3",
            Gate("macro_f1 in text_length=1000+ >= 0.3", "macro_f1", None, 0.3, False, (("text_length", "1000+"),)),
        ),
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
        ("hamming_loss >= 0.1", "column 14, at '>=': expected '<=' (hamming_loss is the better the lower)"),
        ("false_negatives in a=b <= 1", "column 17, at 'in': false_negatives is one label's: write false_negatives["),
        ("auc in zh >= 0.8", "column 8, at 'zh': expected a slice such as language=zh"),
        ("auc in language=zh > 0.8", "column 20, at '>': expected '>='"),
        ("macro_f1 >= 0.4 where support >= 50", "column 17, at 'where': macro_f1 is an average of all labels"),
        ("f1[*] >= 0.4 where examples >= 50", "column 20, at 'examples': expected 'support >='"),
        ("f1[*] >= 0.4 where support >= many", "column 31, at 'many': expected a number of examples"),
    ],
)
def test_another_text_is_refused_with_the_column_and_the_word(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_gate(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_gate_on_an_unknown_label_is_refused_with_the_nearest() -> None:
    check_gates([parse_gate(gate) for gate in ("f1[refund] >= 0.4", "macro_f1 >= 0.4", "f1[*] >= 0.4")], KNOWN)
    with pytest.raises(Refused, match=r"there is no label 'refnd'; did you mean 'refund'\?"):
        check_gates([parse_gate("f1[refnd] >= 0.4")], KNOWN)
    with pytest.raises(Refused, match="the labels are: billing, refund, shipping"):
        check_gates([parse_gate("f1[?] >= 0.4")], KNOWN)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("langauge=zh", "nothing is sliced by langauge; did you mean 'language'? (see evaluation.slices)"),
        ("country=zh", "nothing is sliced by country; the slices are by: labels, text_length, language, channel*lang"),
        ("channel=mail", "nothing is sliced by channel; the slices are by: "),
        ("language=zhh", "there is no slice language=zhh; did you mean 'zh'?"),
        ("language=de, channel=mail", "there is no slice language=de; its values are: en, zh"),
        ("labels=refnd", "there is no slice labels=refnd; did you mean 'refund'?"),
        ("text_length=0-50", "there is no slice text_length=0-50; its values are: 0-49, 50-99, 100-199, "),
    ],
)
def test_a_gate_on_a_slice_that_is_not_made_is_refused_with_the_nearest(where: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        check_gates([parse_gate(f"auc in {where} >= 0.8")], KNOWN)
    assert said in str(refused.value)


def test_a_value_that_only_the_data_knows_is_not_refused_but_remembered() -> None:
    gates = [
        parse_gate(f"micro_f1 in {where} >= 0.4")
        for where in ("channel=mail, language=zh", "language=zh", "labels=refund", "text_length=1000+")
    ]
    check_gates(gates, KNOWN)
    assert unverified(gates, KNOWN) == [gates[0].text]


def test_a_gate_on_a_label_of_the_past_says_what_became_of_it() -> None:
    labels = LabelList(("billing", "refund"), frozenset({"billing"}), {"money": "refund"})
    for label, said in (
        ("billing", "label 'billing' is retired; take the gate out"),
        ("money", "label 'money' is called 'refund' now"),
        ("?", r"the labels are: refund$"),
    ):
        with pytest.raises(Refused, match=said):
            check_gates([parse_gate(f"f1[{label}] >= 0.4")], Known(labels))


def test_gates_must_be_said_even_if_there_are_none() -> None:
    assert EvaluationSettings(gates=[]).gates == []
    with pytest.raises(ValidationError, match="gates"):
        EvaluationSettings()  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="column 10"):
        EvaluationSettings(gates=["macro_f1 = 1"])


@pytest.mark.parametrize(
    "slices", [["labels"], ["language", "language"], ["a*b", "b * a"], ["a*b*c"], ["a*"], ["a*a"], ["language*labels"]]
)
def test_slices_that_make_no_sense_are_refused(slices: list[str]) -> None:
    with pytest.raises(ValidationError, match="slices"):
        EvaluationSettings(gates=[], slices=slices)


def test_lengths_that_make_no_sense_are_refused() -> None:
    for lengths in ([0, 50], [50, 50], [100, 50]):
        with pytest.raises(ValidationError, match="lengths must be greater than 0, and rise"):
            EvaluationSettings(gates=[], length_slices=lengths)
    with pytest.raises(ValidationError, match="need length_slices"):
        EvaluationSettings(gates=[], slices=["language*text_length"], length_slices=[])


def test_a_length_is_in_the_bucket_that_says_so() -> None:
    lengths = (50, 100)
    assert [bucket_of(length, lengths) for length in (0, 49, 50, 99, 100, 10**6)] == [
        "0-49", "0-49", "50-99", "50-99", "100+", "100+",
    ]  # fmt: skip


def test_settings_and_registry_are_read_without_tensorflow() -> None:
    modules = (
        "components.blessing.judge, components.blessing.judgement, components.registry, components.baseline.record"
    )
    code = f"import sys, {modules}; sys.exit(any(m in sys.modules for m in ('tensorflow', 'tfx', 'apache_beam')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
