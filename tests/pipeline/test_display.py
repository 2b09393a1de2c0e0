"""Tests of what a run shows at its end."""

import io
import logging
import re
from pathlib import Path
from typing import Any

from components.common.progress import LASTING, PROGRESS
from components.evaluation.gates.result import GateResult
from components.report.summary import LabelSummary, MetricsSummary, Summary
from pipeline.console import PlainConsole
from pipeline.display import RunDisplay, show_account, show_summary
from pipeline.libraries import libraries_logged


def test_shows_gates_whose_names_look_like_markup() -> None:
    names = ("f1[refund] >= 0.6", "behaviour[a typo] >= 0.7")
    gates = [GateResult(gate=name, value=0.5, bound=0.6, passed=False, note="low") for name in names]
    shown = io.StringIO()
    show_summary(
        PlainConsole(file=shown, width=200),
        Summary(outcome="not_blessed", blessed=False, pushed=None, reasons=[], gates=gates),
    )
    for name in names:
        assert name in shown.getvalue()


def test_shows_labels_that_are_no_markup() -> None:
    metrics = LabelSummary(precision=0.5, recall=0.5, f1=0.5, auc=None, pr_auc=None, support=2, threshold=0.5)
    averages: dict[str, Any] = dict.fromkeys(
        f"{kind}_{name}" for kind in ("macro", "micro") for name in ("precision", "recall", "f1", "auc")
    )
    shown = io.StringIO()
    overall = MetricsSummary.model_construct(per_label={"[/b]": metrics}, **averages)
    summary = Summary.model_construct(outcome="blessed", blessed=True, pushed="1", reasons=[], metrics=overall)
    show_summary(PlainConsole(file=shown, width=200), summary)
    assert "[/b]" in shown.getvalue()


def test_says_what_the_run_took() -> None:
    durations = {"Trainer": 100.4, "Transform": 20.0, "StatisticsGen": 5.0, "Pusher": 1.0, "Blessing": 0.1}
    summary = Summary(
        outcome="blessed", blessed=True, pushed="1", reasons=[], durations_s=durations, peak_memory_mb=2048
    )
    shown = io.StringIO()
    show_account(PlainConsole(file=shown, width=200), summary)
    assert shown.getvalue() == "Took 126 s (Trainer 100 s, Transform 20 s, StatisticsGen 5 s); peak memory 2,048 MiB\n"


def test_what_lasts_stays_on_a_terminal() -> None:
    shown = io.StringIO()
    with RunDisplay(PlainConsole(file=shown, width=200, force_terminal=True, force_interactive=False)) as display:
        display.step_started("Trainer", 7, 16)
        PROGRESS.info("epoch 1 of 2, loss 0.5000, eval loss 0.4000", extra=LASTING)
        display.step_finished("Trainer", 3.0, cached=False, outputs={})
    assert "[7/16] Trainer: epoch 1 of 2, loss 0.5000, eval loss 0.4000" in shown.getvalue()


def test_the_log_has_what_lasts_with_times_and_no_noise(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    console = PlainConsole(file=io.StringIO(), width=200)
    with libraries_logged(log, [logging.FileHandler(log)]), RunDisplay(console) as display:
        display.step_started("Trainer", 7, 16)
        PROGRESS.info("epoch 1 of 2, loss 0.5000, eval loss 0.4000, eval macro F1 0.512", extra=LASTING)
        PROGRESS.info("epoch 2 of 2, step 7 of 9")
        logging.getLogger("absl").warning("ArtifactQuery.property_predicate is not supported.")
        logging.getLogger("absl").warning("worth reading")
        display.step_finished("Trainer", 3.0, cached=False, outputs={})
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line) for line in lines)
    assert [line.partition(": ")[2] for line in lines] == [
        "[7/16] Trainer ...",
        "[7/16] Trainer: epoch 1 of 2, loss 0.5000, eval loss 0.4000, eval macro F1 0.512",
        "worth reading",
        "[7/16] Trainer: 3.0 s",
    ]
