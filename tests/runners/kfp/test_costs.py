"""Tests of what steps of a remote run took, on its way from step to step."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.report.summary import Summary, merge_measured, with_measured
from components.report.summary.measured import PROPERTY
from runners.kfp.costs import keep_costs_of_this_run, record_costs
from runners.kfp.steps import RUN_VARIABLE, STEP_VARIABLE


def run_step(folder: Path, step: str, inputs: list[dict[str, Any]], seconds: float = 1) -> dict[str, Any]:
    """Let this process be a step; return its output artifact."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(STEP_VARIABLE, step)
        before = keep_costs_of_this_run(inputs)
        output_file = folder / f"{step}.json"
        output_file.write_text(json.dumps({"artifacts": {"out": {"artifacts": [{"uri": f"/{step}"}]}}}))
        record_costs(str(output_file), before, seconds)
    (artifact,) = json.loads(output_file.read_text())["artifacts"]["out"]["artifacts"]
    return dict(artifact)


def test_the_last_step_gets_what_all_steps_before_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "run-1")
    examples = run_step(tmp_path, "TextExampleGen", [{"uri": "/no/metadata"}], 2.345)
    model = run_step(tmp_path, "Trainer", [examples])
    verdict = run_step(tmp_path, "DataGate", [examples])
    report = [model, verdict]
    taken = keep_costs_of_this_run(report)
    assert set(taken) == {"TextExampleGen", "Trainer", "DataGate"}
    assert taken["TextExampleGen"].seconds == 2.35
    summary = Summary(outcome="blessed", blessed=True, pushed="/r/1", reasons=[])
    measured = with_measured(summary, merge_measured(each["metadata"][PROPERTY] for each in report))
    assert measured.durations_s["Trainer"] == 1
    assert measured.costs["Trainer"].cpu_s > 0
    assert measured.peak_memory_mb == max(cost.peak_memory_mb or 0 for cost in measured.costs.values()) > 10
    assert with_measured(summary, {}) == summary


def test_what_came_from_the_cache_costs_this_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "run-1")
    examples = run_step(tmp_path, "TextExampleGen", [])
    monkeypatch.setenv(RUN_VARIABLE, "run-2")
    model = run_step(tmp_path, "Trainer", [examples])
    assert PROPERTY not in examples["metadata"], "nor do steps get it"
    assert set(merge_measured([model["metadata"][PROPERTY]])) == {"Trainer"}


def test_an_unreadable_property_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "run-1")
    assert keep_costs_of_this_run([{"uri": "/a", "metadata": {PROPERTY: "{"}}, {"uri": "/b", "metadata": {}}]) == {}
