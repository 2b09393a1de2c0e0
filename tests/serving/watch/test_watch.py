"""Comparison of answers with a profile and with the window before, from a request log and from scores."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.registry import ModelRecord, Version
from components.report.summary import Summary
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from pipeline.console import PlainConsole
from pipeline.watch import watch
from schema.errors import Refused
from serving.request_log.reader import Window
from serving.request_log.rows import LoggedAnswer, LogHeader, Pieces
from serving.request_log.settings import RequestLogSettings
from serving.request_log.writer import RequestLog
from serving.watch.executor import profile_of
from serving.watch.profile import write_profile
from serving.watch.result import WatchResult
from serving.watch.rows import answered
from serving.watch.settings import WatchSettings
from tests.components.behaviour.keyword_model import write_test_split
from tests.end_to_end.command import command
from tests.serving.scoring.scored import push, score_files
from tests.support.hook import Hook
from tests.support.small_project import Project, make_project

_END = datetime(2026, 11, 28, 12, tzinfo=UTC)
_CALM = ("my refund", "nothing at all", "billing of june", "hello", "shipping is late", "a b c")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a pushed version that has a profile."""
    project = make_project(tmp_path_factory.mktemp("watch") / "project", rows=3)
    version = push(project.registry, project.folder / "exported")
    split = project.folder / "eval"
    write_test_split(split, [f"{_CALM[number % 6]} {number % 50}" for number in range(600)])
    rows, statistics = profile_of(version.path, str(split), size=300)
    write_profile(str(project.registry), ModelRecord.read(version.path).model_id, rows, statistics)
    return project


def _version(project: Project) -> Version:
    (folder,) = (path for path in project.registry.iterdir() if path.name.isdigit())
    return Version(number=int(folder.name), path=str(folder))


def _log(
    folder: Path, version: Version, texts: Sequence[str], when: datetime, unknown: int = 0, channel: str = "mail"
) -> None:
    record = ModelRecord.read(version.path)
    header = LogHeader(
        model="m", version=version.number, model_id=record.model_id, labels=tuple(record.labels),
        thresholds=tuple(record.thresholds), retired=tuple(record.retired), slices=("channel",),
    )  # fmt: skip
    probabilities = np.array(
        [[0.9 if label in text and label != "gone" else 0.1 for label in record.labels] for text in texts], np.float32
    )
    probabilities[:, record.labels.index("gone")] = 0
    n = len(texts)
    with RequestLog(RequestLogSettings(folder=str(folder))) as log:
        log.offer(
            LoggedAnswer(
                header=header, time=when.timestamp(), api="rest", request_id=None, latency_ms=1.0,
                texts=[text.encode() for text in texts], pairs=None, probabilities=probabilities,
                count_pieces=lambda *_: Pieces([10] * n, [unknown] * n, [False] * n), slices={"channel": [channel] * n},
            )
        )  # fmt: skip


def _configure(project: Project, **settings: Any) -> Configuration:
    project.configure(watch={"log": "log", "min_rows": 100, **settings})
    return load_configuration(project.configuration)


def _look(config: Configuration) -> tuple[Summary, WatchResult]:
    return watch(config, PlainConsole(quiet=True), _END)


def test_finds_what_has_drifted_from_training_and_from_the_window_before(project: Project) -> None:
    version, log = _version(project), project.folder / "log"
    calm = [f"{_CALM[number % 6]} {number % 50}" for number in range(600)]
    _log(log, version, calm, _END - timedelta(hours=30))
    _log(log, version, calm, _END - timedelta(hours=5))
    summary, result = _look(_configure(project))
    assert (summary.outcome, summary.reasons) == ("steady", [])
    (model,) = result.models
    assert (model.rows, model.rows_before, model.version) == (600, 600, version.number)
    compared = {(each.feature, each.compared_with) for each in model.distances}
    assert {("labels", "training"), ("labels", "window before"), ("text_length", "training")} <= compared
    assert ("probability of refund", "training") in compared
    assert ("unknown_pieces", "window before") in compared, "the log counts pieces"
    assert ("probability of gone", "training") not in compared, "it is retired"
    assert ("slice channel", "window before") in compared

    _log(log, version, ["please refund " + "me " * 40] * 900 + [""] * 100, _END - timedelta(hours=2), unknown=3)
    summary, result = _look(_configure(project))
    assert summary.outcome == "drifted"
    reasons = "\n".join(summary.reasons)
    assert "'refund' is given to" in reasons
    assert "labels: " in reasons
    assert "text_length: the mean is" in reasons
    assert "blank: 6.2% of texts are blank, 0.0% in the training data (rise 0.0625, bound 0.01)" in reasons
    assert "unknown_pieces: " in reasons
    (run,) = sorted((project.folder / "work" / "watch" / "runs").iterdir())[1:]
    page = (run / "watch.html").read_text()
    assert "The answers have drifted" in page
    assert page.count("<svg") >= 4
    assert "<script" not in page
    assert json.loads((run / "watch.json").read_text())["models"][0]["rows"] == 1600


_GERMAN = "Wo bleibt meine Bestellung? Ich warte seit zwei Wochen auf das Paket."
_FRENCH = "Où est ma commande ? J'attends le colis depuis deux semaines déjà, et rien."
_ENGLISH = "Where is my order? I have been waiting for the parcel for two weeks."


def test_languages_and_slices_of_logged_requests_are_compared_and_evidently_shows_them(project: Project) -> None:
    odd = "</script><script>document.title='taken'</script>"
    version, log = _version(project), project.folder / "languages"
    _log(log, version, [_ENGLISH] * 150, _END - timedelta(hours=30))
    texts = [_ENGLISH] * 90 + [_GERMAN] * 60 + [_FRENCH] * 30
    _log(log, version, texts, _END - timedelta(hours=2), channel=odd)
    summary, result = _look(_configure(project, log="languages", evidently=True))
    drifted = {(each.feature, each.compared_with): each for each in result.drifted}
    language = drifted["language", "window before"]
    assert language.words == "'en' is the language of 50.0% of texts, 100.0% in the window before"
    assert language.value == pytest.approx(0.5)
    assert ("slice channel", "window before") in drifted
    assert any("</script>" in reason for reason in summary.reasons)
    run = sorted((project.folder / "work" / "watch" / "runs").iterdir())[-1]
    assert "<script" not in (run / "watch.html").read_text()
    reports = {path.name: path.read_text() for path in run.glob("evidently-*.html")}
    assert set(reports) == {
        f"evidently-version-{version.number}-training.html", f"evidently-version-{version.number}-window-before.html",
    }  # fmt: skip
    for report in reports.values():
        assert "probability of refund" in report
        assert odd not in report
    assert "slice channel" in reports[f"evidently-version-{version.number}-window-before.html"]


def test_refuses_reports_of_evidently_where_it_is_not_installed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.watch.evidently_report.find_spec", lambda _: None)
    with pytest.raises(Refused, match=r"watch.evidently: the package is not installed; pip install"):
        _look(_configure(project, evidently=True))


def test_does_not_judge_few_answers(project: Project) -> None:
    project.configure(retention={"keep_runs": 1, "older_than": "0h"})
    with RequestLog(RequestLogSettings(folder=str(project.folder / "empty"))):  # a server that nobody has asked yet
        pass
    summary, result = _look(_configure(project, log="empty"))
    project.configure(retention={})
    assert (summary.outcome, summary.reasons) == ("no_new_data", ["nothing was answered in the window"])
    assert result.models == []
    pages = sorted((project.folder / "work" / "watch" / "runs").glob("*/watch.html"))
    assert len(pages) == 1, "older ones are beyond retention.keep_runs"
    _log(project.folder / "few", _version(project), ["hello"] * 20, _END - timedelta(hours=1))
    summary, _ = _look(_configure(project, log="few"))
    assert summary.outcome == "no_new_data"
    assert "20 rows are fewer than watch.min_rows (100)" in summary.reasons[0]


def test_refuses_folders_that_are_not_those_of_answers(project: Project, tmp_path: Path) -> None:
    run = ("watch", "--config", str(project.configuration), "--quiet")
    _configure(project, log="lgo")
    assert command(*run) == 2, "all is well otherwise, for a scheduler"
    latest = max((project.folder / "work" / "watch" / "runs").iterdir())
    assert Summary.read(str(latest)).outcome == "refused"
    window, remedy = Window(), "give the folder that the folders of `score` are in"
    scored = tmp_path / "scored"
    (scored / "begun").mkdir(parents=True)
    (scored / "begun" / "log.txt").touch()
    assert answered(None, str(scored), window, 10) == []
    with pytest.raises(Refused, match=rf"scord: there is no such folder; {remedy}, or create it if nothing has been"):
        answered(None, str(tmp_path / "scord"), window, 10)
    with pytest.raises(Refused, match=rf": has no folder that `score` wrote; {remedy}$"):
        answered(None, str(tmp_path), window, 10)
    (scored / "scoring.json").touch()
    with pytest.raises(Refused, match=rf"scored: is the folder of one scoring; {remedy}$"):
        answered(None, str(scored), window, 10)


def test_says_that_a_version_has_no_profile(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=3)
    version = push(project.registry, project.folder / "exported")
    _log(project.folder / "log", version, list(_CALM) * 50, _END - timedelta(hours=1))
    summary, result = _look(_configure(project))
    assert summary.outcome == "no_new_data"
    assert "the version has no profile" in result.models[0].notes[0]


def test_reads_scores_with_their_slices(project: Project) -> None:
    version, scored = _version(project), project.folder / "scored"
    for hours, name, channel in ((30, "before", "mail"), (3, "now", "chat")):
        path = project.folder / f"{name}.csv"
        path.write_text("id,text,channel\n" + "".join(f"{n},{_CALM[n % 6]},{channel}\n" for n in range(150)))
        record = score_files(
            version.path, scored / name, [str(path)], slices=["channel"], fields=["text", "probabilities"]
        )
        finished = (_END - timedelta(hours=hours)).isoformat()
        record.model_copy(update={"finished": finished}).write(str(scored / name))
    summary, result = _look(_configure(project, log=None, scores="scored"))
    (model,) = result.models
    assert (model.rows, model.rows_before) == (150, 150)
    drifted = {(each.feature, each.compared_with) for each in result.drifted}
    assert ("slice channel", "window before") in drifted
    assert ("labels", "window before") not in drifted
    assert any("is the value of" in reason for reason in summary.reasons)


def test_refuses_a_configuration_that_watches_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=3)
    with pytest.raises(Refused, match="the configuration has no watch"):
        watch(load_configuration(project.configuration), PlainConsole(quiet=True))
    with pytest.raises(ValueError, match="name the request log in log"):
        WatchSettings()


def test_drift_is_notified_and_can_start_a_training(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _log(project.folder / "odd", _version(project), ["refund"] * 200, _END - timedelta(hours=1))
    started: list[str] = []
    monkeypatch.setattr("pipeline.run.run_pipeline", lambda config, *_, **__: started.append(config.name))
    arguments = ["watch", "--config", str(project.configuration), "--until", "2026-11-28T12:00", "--quiet"]
    _configure(project, log="odd")
    (project.folder / "silent").mkdir(exist_ok=True)
    with Hook() as hook:
        heard = [*arguments, "--set", f"notify.url={hook.url}"]
        assert command(*heard) == 3
        assert command(*heard, "--set", f"watch.log={project.folder}/silent") == 0
    notified = [(each["pipeline"], each["outcome"], each["exit_status"]) for each in hook.received]
    assert notified == [("small-watch", "drifted", 3), ("small-watch", "no_new_data", 0)]
    assert "'refund' is given to" in "".join(hook.received[0]["reasons"])
    assert started == []
    assert command(*arguments, "--set", "watch.when=drift") == 3
    assert started == ["small"]
    push(project.registry, project.folder / "newer", note="another")
    assert command(*arguments, "--set", "watch.when=drift") == 3
    assert started == ["small"], "what has drifted is not the live version"
