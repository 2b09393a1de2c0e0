"""Tests of the trend at the head of the report: macro F1 of the last runs, from runs and from the registry."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from components.registry import ModelRecord
from components.report.views.trend import MOST_RUNS, PastResult, merge_results, registry_results, trend_chart
from tests.components.report.made_up import WHEN, material


def result(day: int, macro_f1: float = 0.5, pushed: str | None = None) -> PastResult:
    return PastResult(WHEN + timedelta(days=day), macro_f1, pushed)


def write_version(registry: Path, number: int, **changes: object) -> None:
    folder = registry / str(number)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    values = {
        "model_id": "a", "labels": ["b"], "thresholds": [0.5], "checkpoint": "c", "created": "", "versions": {},
        "macro_f1": 0.4,
    }  # fmt: skip
    ModelRecord.model_validate(values | changes).write(str(folder))


def test_ends_with_this_run_and_distinguishes_pushed_runs() -> None:
    run = material()
    drawn = trend_chart([result(-2, 0.4, "/r/1"), result(-1, 0.3)], run.summary, WHEN)
    assert drawn is not None
    assert [name for _, name in drawn.legend] == ["pushed", "not pushed"]
    assert drawn.svg.count('class="dot candidate"') == 1
    assert drawn.svg.count('class="dot hollow"') == 2
    assert drawn.svg.count('class="mark"') == 1
    assert "2026-11-21" in drawn.svg
    assert "2026-11-23" in drawn.svg


def test_shows_neither_later_runs_nor_this_one_twice() -> None:
    pushed = material(blessed=True, pushed="/elsewhere/17", reasons=[])
    past = [result(-1, 0.3), result(-0, 0.51), result(1, 0.9), result(-1, 0.51, "/registry/17/")]
    drawn = trend_chart(past, pushed.summary, WHEN)
    assert drawn is not None
    assert drawn.svg.count("<circle") == 3, "two runs, and the ring"


def test_needs_two_results_and_shows_only_the_last() -> None:
    run = material()
    assert trend_chart([], run.summary, WHEN) is None
    many = trend_chart([result(-day) for day in range(1, 2 * MOST_RUNS)], run.summary, WHEN)
    assert many is not None
    assert many.svg.count("<circle") == MOST_RUNS + 1


def test_a_run_that_judged_nothing_shows_those_before_it_without_a_ring() -> None:
    stopped = material(metrics=None)
    drawn = trend_chart([result(-2), result(-1)], stopped.summary, WHEN)
    assert drawn is not None
    assert 'class="mark"' not in drawn.svg
    assert "ring" not in drawn.caption


def test_the_registry_adds_versions_whose_run_is_gone(tmp_path: Path) -> None:
    write_version(tmp_path, 100)
    write_version(tmp_path, 200, macro_f1=0.45)
    write_version(tmp_path, 300, macro_f1=0.4, rolled_back_to=100)
    write_version(tmp_path, 400, macro_f1=None)
    run = PastResult(datetime.fromtimestamp(190, UTC), 0.45, f"{tmp_path}/200")
    merged = merge_results([run], registry_results(str(tmp_path)))
    assert [(each.macro_f1, each.pushed) for each in merged] == [(0.4, f"{tmp_path}/100"), (0.45, f"{tmp_path}/200")]


def test_does_without_a_registry_that_cannot_be_read(tmp_path: Path) -> None:
    assert registry_results(str(tmp_path / "none")) == []
    write_version(tmp_path, 100)
    (tmp_path / "100" / "model.json").write_text("{")
    assert registry_results(str(tmp_path)) == []
