"""Tests of what a run shows at its end."""

import io

from rich.console import Console

from components.evaluation.gates.result import GateResult
from components.report.summary import Summary
from pipeline.display import show_summary


def test_shows_gates_whose_names_look_like_markup() -> None:
    names = ("f1[refund] >= 0.6", "behaviour[a typo] >= 0.7")
    gates = [GateResult(gate=name, value=0.5, bound=0.6, passed=False, note="low") for name in names]
    shown = io.StringIO()
    show_summary(
        Console(file=shown, width=200),
        Summary(outcome="not_blessed", blessed=False, pushed=None, reasons=[], gates=gates),
    )
    for name in names:
        assert name in shown.getvalue()
