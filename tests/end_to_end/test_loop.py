"""From a first run to the next one, over everything that looks at answers, with names that nobody would choose.

Run, serve, request log, watch, review, Label Studio's converter, answers as a source, labels edited, and the run that
drift starts. Whatever the names of labels and columns hold is shown as it is, everywhere.
"""

import csv
import json
import random
import re
import signal
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import yaml
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from cli.prediction import predict_texts
from components.registry import ModelRecord
from components.tracking.mlflow_run import label_name
from components.trainer.loop.event_files import read_scalars
from schema.infer import infer_schema, schema_text
from serving.request_log.reader import read_requests
from serving.review.review import Review
from serving.watch.profile import read_profile
from tests.components.report.reading import Page
from tests.end_to_end.command import command, run, summaries
from tests.serving.review import test_review
from tests.serving.server.test_server import start, wait_until
from tests.support.environments import python_of
from tests.support.small_project import Project, make_project

_ACCOUNT, _PRAISE, _REFUND, _LONG = (
    'account [/b] a/b.c "q"',
    "praise <b>🙂</b> *x* &amp;",
    "two\nlines $text",
    "x" * 300,
)
_OTHERS = ("anger", "fear", "joy")  # more than a person is asked about at once
_LABELS = (_ACCOUNT, _PRAISE, _REFUND, _LONG, *_OTHERS)
_WORDS = dict(zip(_LABELS, ("login", "thanks", "refund", "slow", "broken", "not", "love"), strict=True))
_SLICE, _VALUES = "kanal [1]/a.b <i>x</i> 🙂", ("<u>chat</u>", "mail [x] a=b, c")
_ASKED_TEXTS = 60
_TRIAL = ("training.max_steps=2", "canary.latency_ratio=null")


def _write_rows(path: Path, rows: int) -> None:
    rng = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "labels", _SLICE])
        for number in range(rows):
            labels = [label for label in _LABELS if rng.random() < 0.35]
            words = [*(_WORDS[label] for label in labels), *rng.choices(("the", "a", "is", "my"), k=3)]
            writer.writerow([f"r{number}", " ".join(words), "|".join(labels), rng.choice(_VALUES)])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("loop") / "project", rows=1)
    (project.folder / "schema.pbtxt").write_text(schema_text(infer_schema(_LABELS, [_SLICE])))
    _write_rows(project.data, 200)
    project.configure(
        examples={
            "input_base": "data", "id": "id", "labels": {"kind": "delimited", "column": "labels"}, "slices": [_SLICE],
            "inputs": [{"pattern": "*.csv", "split": {"train": 6, "eval": 2, "test": 2}}],
        },
        evaluation={
            "slices": [_SLICE],
            "gates": ["macro_f1 >= 0", *(f"f1[{label}] >= 0" for label in _LABELS), "f1[*] >= baseline - 0.99"],
        },
        suspects={"folds": 2, "top": 5},
        tracking={"mlflow": {"uri": "mlflow"}},
        watch={"log": "log", "min_rows": 20, "label_drift": {"measure": "l_infinity", "bound": 0.001}},
    )  # fmt: skip
    return project


@dataclass(frozen=True)
class First:
    """The first run: its folder, its summary, and what it printed."""

    folder: Path
    summary: dict[str, Any]
    printed: str


@pytest.fixture(scope="module")
def first(project: Project, tmp_path_factory: pytest.TempPathFactory) -> First:
    printed = tmp_path_factory.mktemp("printed") / "screen"
    with printed.open("w") as screen, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", screen)
        patch.setenv("COLUMNS", "4000")  # so that nothing is wrapped
        status, summary = run(project, *_TRIAL)
    assert status == 0, summary["reasons"]
    return First(next(project.runs.iterdir()), summary, printed.read_text())


def _artifact(first: First, step: str, output: str) -> Path:
    return Path(json.loads((first.folder / "artifacts.json").read_text())[step][output])


def _without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_names_are_shown_as_they_are_on_the_screen_and_on_pages(first: First) -> None:
    assert list(first.summary["metrics"]["per_label"]) == list(_LABELS)
    assert {f"{_SLICE}={value}" for value in _VALUES} <= set(first.summary["slices"])
    assert [gate["gate"] for gate in first.summary["gates"]][1 : 1 + len(_LABELS)] == [
        f"f1[{label}] >= 0" for label in _LABELS
    ]
    shown = _without_blanks(first.printed)
    for label in _LABELS:
        for line in label.splitlines():  # those of a cell are beside those of others
            assert _without_blanks(line) in shown, label

    html = (first.folder / "report.html").read_text()
    page = Page(html)
    text = _without_blanks(page.text)
    for name in (*_LABELS, _SLICE, *_VALUES):
        assert _without_blanks(name) in text, name
    assert {"u", "i"}.isdisjoint(tag for tag, _ in page.tags)
    assert "<b>🙂" not in html
    assert 'id="suspects-table"' in html

    card = (first.folder / "model_card.md").read_text()
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(card)
    text = _without_blanks(unescape(re.sub(r"<[^>]+>", "", rendered)))
    for label in _LABELS:
        assert _without_blanks(label) in text, label
    assert not re.search(r"<(b|u|i|em)>", rendered.replace("<em>To be filled in", ""))


def test_names_are_kept_apart_where_an_alphabet_is_small(first: First, project: Project) -> None:
    scores = read_scalars(f"{_artifact(first, 'Trainer', 'model_run')}/validation")
    assert {f"f1/{label}" for label in _LABELS} <= set(scores), "TensorBoard takes any name"
    mlflow = pytest.importorskip("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = mlflow.MlflowClient(tracking_uri=str(project.folder / "mlflow"))
        (experiment,) = [each for each in client.search_experiments() if each.name == "small"]
        (logged,) = client.search_runs([experiment.experiment_id])
    assert {f"test/f1/{label_name(label)}" for label in _LABELS} <= set(logged.data.metrics)
    with (_artifact(first, "LabelSuspects", "suspects") / "suspects.csv").open(newline="", encoding="utf-8") as file:
        assert {row["label"] for row in csv.DictReader(file)} <= set(_LABELS)
    record = ModelRecord.read(first.summary["pushed"])
    assert (tuple(record.labels), record.slices) == (_LABELS, [_SLICE])
    profile = read_profile(str(project.registry), record.model_id)
    assert profile is not None
    features = {feature.path.step[0] for feature in profile.datasets[0].features}
    assert {f"slice {_SLICE}", *(f"probability of {label}" for label in _LABELS)} <= features


@pytest.mark.usefixtures("first")
def test_scores_and_manifests_have_the_names(project: Project, tmp_path: Path) -> None:
    arguments = ("--config", str(project.configuration), "--input", str(project.data), "--output", str(tmp_path / "s"))
    fields = "text,labels,decisions,probabilities"
    assert (
        command(
            "score",
            *arguments,
            "--fields",
            fields,
            "--set",
            f"scoring.slices={json.dumps([_SLICE], ensure_ascii=False)}",
            "--quiet",
        )
        == 0
    )
    (path,) = (tmp_path / "s" / "scores").iterdir()
    schema = pq.read_schema(path)
    for column in ("decisions", "probabilities"):
        assert [field.name for field in schema.field(column).type] == list(_LABELS)
    assert [field.name for field in schema.field("slices").type] == [_SLICE]
    where = ("--model", str(project.registry), "--name", "small", "--output", str(tmp_path / "d"))
    assert command("deploy", "--target", "compose", *where) == 0
    assert yaml.safe_load((tmp_path / "d" / "compose.yaml").read_text())["services"]


def _example(text: str, value: str) -> bytes:
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[content.encode()]))
        for name, content in (("text", text), (_SLICE, value))
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


@pytest.fixture(scope="module")
def served(project: Project, first: First) -> Path:
    """Let the server answer some requests, and return its request log."""
    import base64

    assert first.summary["pushed"]
    server = start(project.registry, project.folder / "log")
    try:
        wait_until(lambda: server.get("/readyz").status_code == 200)
        texts = [f"the refund is slow {number}" for number in range(_ASKED_TEXTS)]
        sent = {_SLICE: [_VALUES[number % 2] for number in range(_ASKED_TEXTS)], "user": "17"}
        body = {"signature_name": "serve_text", "instances": texts}
        answer = server.post("/v1/models/default:predict", body, headers={"X-Slices": json.dumps(sent)})
        assert answer.status_code == 200, answer.text
        examples = [{"b64": base64.b64encode(_example("my login", value)).decode()} for value in _VALUES]
        assert server.post("/v1/models/default:predict", {"instances": examples}).status_code == 200
        shown = server.post("/page/classify", {"text": "thanks"}).json()
        assert {label["name"] for label in shown["labels"]} == set(_LABELS)
        families = {family.name for family in text_string_to_metric_families(server.get("/metrics").text)}
        assert "bert_multilabel_requests" in families
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    finally:
        server.process.kill()
        server.process.wait()
    return server.log


def test_the_request_log_has_the_slices_of_the_model_and_no_others(served: Path) -> None:
    files = list(read_requests(str(served)))
    assert {file.header.labels for file in files} == {_LABELS}
    assert {file.header.slices for file in files} == {(_SLICE,)}
    rows = [row for file in files for row in file.rows.to_pylist()]
    assert len(rows) == _ASKED_TEXTS + len(_VALUES) + 1
    found = [dict(row["slices"] or ()) for row in rows]
    assert [each.get(_SLICE) for each in found].count(_VALUES[0]) == _ASKED_TEXTS / 2 + 1
    assert found.count({}) == 1, "the page sends none"
    assert all(set(each) <= {_SLICE} for each in found)


def test_the_loop_closes(project: Project, first: First, served: Path, capfd: pytest.CaptureFixture[str]) -> None:
    review, reviewed = project.folder / "review", project.folder / "data" / "reviewed.csv"
    assert (
        command("review", "sample", "--log", str(served), "--output", str(review), "--count", "9", "--band", "9") == 0
    )
    tasks = json.loads((review / "tasks.json").read_text())
    assert Review.read(str(review)).texts == len(tasks) == 9
    assert all(len(task["data"]["asked"]) == 5 for task in tasks)
    # Every text is about an account to the people who are asked, whatever is in question.
    (review / "answers.json").write_text(json.dumps({task["data"]["row"]: [_ACCOUNT] for task in tasks}))
    folder = Path(test_review.__file__).parent
    python = python_of("label-studio-sdk-2.1.2", folder / "label_studio.lock")
    ended = subprocess.run(
        [python, str(folder / "label_studio_round_trip.py"), str(review)], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert json.loads(ended.stdout.splitlines()[-1]) == {"wrong": [], "choices": sorted(_LABELS)}
    assert command("review", "collect", str(review / "JSON" / "result.json"), "--output", str(reviewed)) == 0
    with reviewed.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = [set(row["asked"].split("|")) for row in rows]
    assert len(known) == 9
    assert {row[_SLICE] for row in rows} <= {*_VALUES, ""}, "the source has the columns that the pipeline reads"

    schema = ("--schema", str(project.folder / "schema.pbtxt"))
    assert command("labels", "rename", _REFUND, "money back [$]", *schema) == 0
    assert command("labels", "retire", _PRAISE, *schema) == 0
    assert command("labels", "add", "slow <i>", *schema) == 0
    assert command("labels", "imply", "money back [$]", _ACCOUNT, *schema) == 0
    content = yaml.safe_load(project.configuration.read_text())
    content["examples"]["inputs"] = [
        {"pattern": "rows.csv", "split": {"train": 6, "eval": 2, "test": 2}},
        {"pattern": "reviewed.csv", "split": "train", "asked": "asked"},
    ]
    content["evaluation"] = {"slices": [], "label_slices": False, "gates": ["macro_f1 >= baseline - 0.99"]}
    content |= {"suspects": None, "tracking": {}}
    project.configuration.write_text(yaml.safe_dump(content))

    capfd.readouterr()
    options = [option for change in (*_TRIAL, "watch.when=drift") for option in ("--set", change)]
    assert command("watch", "--config", str(project.configuration), *options) == 3
    shown = capfd.readouterr()
    assert "Drift starts a training run" in shown.out
    (look,) = (project.folder / "work" / "watch" / "runs").iterdir()
    page = Page((look / "watch.html").read_text())
    assert _without_blanks(f"probability of {_ACCOUNT}") in _without_blanks(page.text)
    assert page.count("u") == page.count("i") == 0
    result = json.loads((look / "watch.json").read_text())
    (model,) = result["models"]
    assert (model["rows"], model["version"]) == (
        _ASKED_TEXTS + len(_VALUES) + 1,
        int(Path(first.summary["pushed"]).name),
    )

    second = summaries(project)[-1]
    assert len(summaries(project)) == 2
    assert second["outcome"] == "blessed", second["reasons"]
    assert second["rows"]["accepted"] == 200 + len(known)
    facts = second["data"]["partly_known"]
    unknown = {label: sum(label not in asked for asked in known) for label in (_REFUND, _LONG, *_OTHERS)}
    unknown = {("money back [$]" if label == _REFUND else label): count for label, count in unknown.items() if count}
    assert {label: facts[label]["unknown"] for label in unknown} == unknown, "nobody was asked"
    assert unknown
    assert _ACCOUNT not in facts, "everybody gave it"
    assert list(second["metrics"]["per_label"]) == [_ACCOUNT, "money back [$]", _LONG, *_OTHERS, "slow <i>"]
    assert list(second["baseline"]["per_label"]) == [_ACCOUNT, "money back [$]", _LONG, *_OTHERS]
    assert set(second["data"]["retired_labels"]) == {_PRAISE}
    assert 0 < second["data"]["completed_labels"][_ACCOUNT] < 200
    record = ModelRecord.read(second["pushed"])
    assert record.implies == {"money back [$]": [_ACCOUNT]}
    of_rows = [warning for warning in second["data"]["warnings"] if warning.startswith("no row has")]
    assert of_rows == ["no row has the label slow <i>"]
    assert second["metrics"]["per_label"]["money back [$]"]["support"] > 0, "the rows have its former name"
    (gate,) = second["gates"]
    assert gate["passed"]
    assert gate["value"] is not None
    for answer in predict_texts(str(project.registry), ["refund login", "login", "slow broken", "thanks"]):
        given = {each.name for each in answer.labels if each.given}
        assert _ACCOUNT in given or "money back [$]" not in given
