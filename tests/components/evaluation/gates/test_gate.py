"""Gates: their parsing, and their use in pydantic models."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from components.evaluation.gates.gate import Gate, parse_gate
from schema.errors import Refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("macro_f1 >= 0.45", Gate("macro_f1 >= 0.45", "macro_f1", None, 0.45, against_baseline=False)),
        ("  micro_recall>=.5 ", Gate("micro_recall>=.5", "micro_recall", None, 0.5, against_baseline=False)),
        ("f1[refund] >= 1", Gate("f1[refund] >= 1", "f1", "refund", 1.0, against_baseline=False)),
        ("macro_f1 >= baseline", Gate("macro_f1 >= baseline", "macro_f1", None, 0.0, against_baseline=True)),
        (
            "pr_auc[a] >= baseline - 0.01",
            Gate("pr_auc[a] >= baseline - 0.01", "pr_auc", "a", -0.01, against_baseline=True),
        ),
        ("auc[a] >= baseline+0.02", Gate("auc[a] >= baseline+0.02", "auc", "a", 0.02, against_baseline=True)),
        (
            "recall[ two words ] >= 0.5",
            Gate("recall[ two words ] >= 0.5", "recall", "two words", 0.5, against_baseline=False),
        ),
        ("precision[a[0]] >= 0.5", Gate("precision[a[0]] >= 0.5", "precision", "a[0]", 0.5, against_baseline=False)),
        ("f1[价格 >= 5] >= 0.5", Gate("f1[价格 >= 5] >= 0.5", "f1", "价格 >= 5", 0.5, against_baseline=False)),
        ("f1[made in x] >= 0.5", Gate("f1[made in x] >= 0.5", "f1", "made in x", 0.5, against_baseline=False)),
        ("hamming_loss <= 0.1", Gate("hamming_loss <= 0.1", "hamming_loss", None, 0.1, against_baseline=False)),
        (
            "false_negatives[a] <= baseline + 3",
            Gate("false_negatives[a] <= baseline + 3", "false_negatives", "a", 3.0, against_baseline=True),
        ),
        (
            "f1[*] >= baseline - 0.05 where support >= 50",
            Gate(
                "f1[*] >= baseline - 0.05 where support >= 50",
                "f1",
                "*",
                -0.05,
                against_baseline=True,
                min_support=50,
            ),
        ),
        (
            "auc in language=zh >= 0.8",
            Gate(
                "auc in language=zh >= 0.8",
                "macro_auc",
                None,
                0.8,
                against_baseline=False,
                slice=(("language", "zh"),),
            ),
        ),
        (
            "recall[a b] in language=zh, channel=e mail >= baseline",
            Gate(
                "recall[a b] in language=zh, channel=e mail >= baseline",
                "recall",
                "a b",
                0.0,
                against_baseline=True,
                slice=(("channel", "e mail"), ("language", "zh")),
            ),
        ),
        (
            "macro_f1 in text_length=1000+ >= 0.3",
            Gate("macro_f1 in text_length=1000+ >= 0.3", "macro_f1", None, 0.3, False, (("text_length", "1000+"),)),
        ),
    ],
)
def test_parses_metric_label_slice_and_bound(text: str, expected: Gate) -> None:
    assert parse_gate(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("macr_f1 >= 0.4", "column 1, at 'macr_f1': there is no metric 'macr_f1'; did you mean 'macro_f1'?"),
        ("macro_f1 > 0.4", "column 10, at '>': expected '>='"),
        ("macro_f1 <= 0.4", "column 10, at '<=': expected '>='"),
        ("macro_f1 >= 45", "column 13, at '45': 45 can never decide anything: metrics are between 0 and 1"),
        ("macro_f1 >= -0.1", "column 13, at '-0.1': expected a number"),
        ("macro_f1 >= nan", "column 13, at 'nan': expected a number"),
        ("macro_f1 >= 0.4.5", "column 13, at '0.4.5': expected a number"),
        ("macro_f1 >= baseline - 1", "column 24, at '1': 1 can never decide anything"),
        ("macro_f1 >= baseline 0.01", "column 22, at '0.01': expected the end of the gate"),
        ("macro_f1 >=", "column 12, at its end: expected a number"),
        ("f1 >= 0.4", "f1 is a metric of one label: write f1[LABEL], or macro_f1 for the average"),
        ("macro_f1[refund] >= 0.4", "column 9, at '[refund]': macro_f1 is an average over all labels"),
        ("f1[] >= 0.4", "column 3, at '[]': expected a label and ']'"),
        ("f1[refund >= 0.4", "column 3, at '[refund': expected a label and ']'"),
        ("", "column 1, at its end: expected a metric"),
        ("hamming_loss >= 0.1", "column 14, at '>=': expected '<=' (lower hamming_loss is better)"),
        (
            "false_negatives in a=b <= 1",
            "column 17, at 'in': false_negatives is a metric of one label: write false_negatives[",
        ),
        ("auc in zh >= 0.8", "column 8, at 'zh': expected a slice such as language=zh"),
        ("auc in language=zh > 0.8", "column 20, at '>': expected '>='"),
        ("macro_f1 >= 0.4 where support >= 50", "column 17, at 'where': macro_f1 is an average over all labels"),
        ("f1[*] >= 0.4 where examples >= 50", "column 20, at 'examples': expected 'support >='"),
        ("f1[*] >= 0.4 where support >= many", "column 31, at 'many': expected a number of examples"),
    ],
)
def test_refuses_other_texts_with_the_column_and_the_word(text: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_gate(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_gate_is_text_outside_python_and_a_gate_inside() -> None:
    text = "f1[*] >= baseline - 0.050 where support >= 50"
    adapter = TypeAdapter(list[Gate])
    gates = adapter.validate_json(json.dumps([text]))
    assert gates == [parse_gate(text)]
    assert adapter.validate_python([text, *gates]) == gates * 2
    assert json.loads(adapter.dump_json(gates)) == adapter.dump_python(gates) == [text]
    for mode in ("validation", "serialization"):
        assert adapter.json_schema(mode=mode)["items"] == {"type": "string"}


@pytest.mark.parametrize(("value", "message"), [("macro_f1 = 1", "column 10"), (0.5, "should be a valid string")])
def test_pydantic_refuses_what_is_no_gate(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Gate).validate_python(value)


def test_a_label_may_have_several_lines() -> None:
    gate = parse_gate("f1[two\nlines] >= baseline - 0.1")
    assert (gate.label, gate.bound, gate.against_baseline) == ("two\nlines", -0.1, True)
