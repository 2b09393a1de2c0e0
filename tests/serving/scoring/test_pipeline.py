"""The scoring pipeline by the local runner: real components, and what is new."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.sources.sources import Sources
from components.report.summary import Summary
from serving.scoring.batches import find_batches
from serving.scoring.settings import ScoringSettings
from tests.end_to_end.command import command
from tests.serving.scoring.scored import push, rows_of
from tests.support.refusals import refused
from tests.support.small_project import Project, make_project


def _write(folder: Path, day: str, texts: list[str]) -> None:
    (folder / day).mkdir(parents=True)
    lines = [json.dumps({"id": f"{day}/{number}", "text": text}) for number, text in enumerate(texts)]
    (folder / day / "rows.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("scoring") / "project", rows=3)
    scoring = {
        "input_base": "incoming",
        "inputs": [{"pattern": "{YYYY}-{MM}-{DD}/*.jsonl"}],
        "spans": {"last": 2},
        "format": "jsonl",
        "output": "scored",
    }
    project.configure(scoring=scoring, retention={"keep_runs": 1, "older_than": "0h"})
    return project


def _run(project: Project, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert command("run", "--pipeline", "score", "--config", str(project.configuration), "--json") == 0
    summary: dict[str, Any] = json.loads(capfd.readouterr().out.splitlines()[-1])
    return summary


def test_each_span_is_scored_once_by_the_model_that_is_live(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    incoming, scored = project.folder / "incoming", project.folder / "scored"
    for day, texts in (("2026-11-01", ["old"]), ("2026-11-02", ["refund", " "]), ("2026-11-03", ["billing"])):
        _write(incoming, day, texts)
    first = push(project.registry, project.folder / "first")
    summary = _run(project, capfd)
    assert summary["outcome"] == "scored"
    assert summary["rows"] == {"read": 3, "accepted": 2, "quarantined": 1, "merged": 0}
    assert summary["scores"] == [str(scored / "2026-11-02"), str(scored / "2026-11-03")]
    assert rows_of(scored / "2026-11-02")[0]["id"] == "2026-11-02/0"
    assert rows_of(scored / "2026-11-02")[0]["labels"] == ["refund"]

    second = push(project.registry, project.folder / "second", note="another")
    nothing = _run(project, capfd)
    assert (nothing["outcome"], nothing["scores"]) == ("no_new_data", [])
    assert nothing["reasons"] == ["everything was scored before: 2026-11-02, 2026-11-03"]

    _write(incoming, "2026-11-04", ["shipping"])
    assert _run(project, capfd)["scores"] == [str(scored / "2026-11-04")]
    versions = [rows_of(scored / day)[0]["model_version"] for day in ("2026-11-03", "2026-11-04")]
    assert versions == [first.number, second.number]
    runs = sorted((project.folder / "work" / "score" / "runs").iterdir())
    assert [(run / "log.txt").exists() for run in runs] == [False, False, True], "beyond retention.keep_runs"
    assert [Summary.read(str(run)).outcome for run in runs] == ["scored", "no_new_data", "scored"]


def test_changed_files_without_spans_are_another_batch(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\na\n")
    settings = ScoringSettings.model_validate(
        {"input_base": str(tmp_path), "inputs": [{"pattern": "*.csv"}], "output": "/scores"}
    )
    (before,) = find_batches(settings).due
    assert find_batches(settings).due == [before]
    path.write_text("text\na\nb\n")
    (after,) = find_batches(settings).due
    assert before.name != after.name
    assert before.name.startswith("inputs-")
    assert isinstance(after.sources, Sources)


def test_refuses_a_configuration_without_scoring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "project", rows=3)
    message = refused(capsys, "run", "--pipeline", "score", "--config", str(project.configuration))
    assert "the configuration has no scoring" in message
    message = refused(capsys, "run", "--pipeline", "scor", "--config", str(project.configuration))
    assert "'score'" in message
