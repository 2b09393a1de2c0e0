"""Tests of the tables of a run's result: what they leave out on a narrow console, and what they never leave out."""

import io

import pytest
from rich.table import Table

from components.evaluation.gates.result import GateResult
from components.report.summary import MetricsSummary
from pipeline.console import PlainConsole
from pipeline.tables import gates_table, metrics_table
from tests.components.report.made_up import material


def shown(table: Table, width: int) -> str:
    """Return a table as a console of a width shows it."""
    file = io.StringIO()
    PlainConsole(file=file, width=width).print(table)
    return file.getvalue()


def metrics(labels: list[str]) -> MetricsSummary:
    """Return metrics of a model with these labels."""
    found = material(labels).summary.metrics
    assert found is not None
    return found


@pytest.mark.parametrize("separator", [" ", ""])
def test_long_names_that_begin_alike_stay_apart_at_80_columns(separator: str) -> None:
    stem = separator.join(
        ["customer", "complaint", "about", "product", "category", "number", "with", "a", "long", "name"]
    )
    labels = [f"{stem}{number:02d}" for number in range(60)]
    lines = shown(metrics_table(metrics(labels), 80), 80).splitlines()
    names_end = lines[2].index("F1") - len("0.0")
    names = "".join(line[:names_end].strip() for line in lines).replace(" ", "")
    assert all(label.replace(" ", "") in names for label in labels)
    assert max(map(len, lines)) <= 80


def test_a_narrow_console_leaves_out_the_least_important_columns() -> None:
    labels = ["refund", "a rather long name of a label"]
    heads = {width: shown(metrics_table(metrics(labels), width), width).splitlines()[2].split() for width in (70, 120)}
    assert heads[120] == ["label", "F1", "precision", "recall", "support", "AUC", "threshold"]
    assert heads[70] == ["label", "F1", "precision", "recall", "support"]


def test_many_labels_are_cut_to_those_with_the_lowest_f1() -> None:
    labels = [f"label{number:03d}" for number in range(300)]
    found = metrics(labels)
    lines = shown(metrics_table(found, 100), 100)
    worst = min(found.per_label.items(), key=lambda item: item[1].f1 or 0.0)[0]
    best = max(found.per_label.items(), key=lambda item: item[1].f1 or 0.0)[0]
    assert "the 60 of 300 labels with the lowest F1" in lines
    assert worst in lines
    assert best not in lines


def test_gates_have_words_only_where_they_did_not_pass() -> None:
    gates = [
        GateResult(gate="macro_f1 >= 0.5", value=0.6, bound=0.5, passed=True, note="at least the bound"),
        GateResult(gate="f1[a] >= 0.5", value=0.4, bound=0.5, passed=False, note="below it", interval=(0.3, 0.5)),
        GateResult(gate="f1[b] >= 0.5", value=None, bound=None, passed=True, asked=False, note="3 examples"),
    ]
    passed, failed, not_asked = shown(gates_table(gates), 120).splitlines()[4:7]
    assert passed.split() == ["macro_f1", ">=", "0.5", "0.600", "0.500", "passed"]
    assert failed.split("0.500", 1)[1].strip() == "failed: below it; 95 % interval 0.300 to 0.500"
    assert not_asked.rstrip().endswith("not asked: 3 examples")
