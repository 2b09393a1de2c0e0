"""Tests of whole runs through the command line: what is blessed and pushed, and what models are compared with."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.prediction import predict_texts
from serving.watch.profile import read_profile
from tests.end_to_end.command import command, run
from tests.support.small_project import LABELS, Project, make_project

_FRESH_PROCESS = """
import json, sys
import tensorflow as tf, tensorflow_text
model = tf.saved_model.load(sys.argv[1])
texts = ["refund my money", "thanks i love it", "the slow", ""]
served = model.signatures["serve_text"](texts=tf.constant(texts))
examples = [
    tf.train.Example(features=tf.train.Features(feature={
        "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()])),
        "labels": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"refund"])),
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"1"])),
    })).SerializeToString()
    for text in texts
]
default = model.signatures["serving_default"](examples=tf.constant(examples))
transformed = model.signatures["transform_features"](examples=tf.constant(examples))
nothing = model.signatures["serve_text"](texts=tf.constant([], tf.string))
print(json.dumps({
    "tfx": sorted(name for name in sys.modules if name.split(".")[0] in ("tfx", "tensorflow_transform", "keras_hub")),
    "served": served["probabilities"].numpy().tolist(),
    "labels": [[label.decode() for label in row] for row in served["labels"].numpy()],
    "default": default["probabilities"].numpy().tolist(),
    "multi_hot": transformed["labels_multi_hot"].numpy().tolist(),
    "token_ids": transformed["token_ids"].numpy().tolist(),
    "nothing": list(nothing["probabilities"].shape),
}))
"""

_BEHAVIOUR = """
texts:
  - {name: one word, pass_rate: 0.9, given: [refund], not_given: [praise], cases: [my refund, refund to me]}
edits:
  - {name: loud, edit: upper_case, test_texts: 20, pass_rate: 1}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    # With a space, as in the path of many home folders.
    project = make_project(tmp_path_factory.mktemp("with a space") / "project", checkpoint="minilm-l6")
    (project.folder / "behaviour.yaml").write_text(_BEHAVIOUR)
    project.configure(behaviour="behaviour.yaml", watch={"log": "log"})
    return project


@pytest.fixture(scope="module")
def first(project: Project) -> tuple[int, dict[str, Any]]:
    return run(project)


def test_a_first_good_model_is_blessed_and_pushed(project: Project, first: tuple[int, dict[str, Any]]) -> None:
    status, summary = first
    assert status == 0
    assert summary["blessed"]
    assert summary["reasons"] == []
    assert summary["baseline"] is None
    assert summary["rows"] == {"read": 400, "accepted": 400, "quarantined": 0, "merged": 0}
    assert [path.name for path in project.registry.iterdir() if path.name.isdigit()] == [Path(summary["pushed"]).name]
    metrics = summary["metrics"]
    assert metrics["macro_f1"] >= 0.8
    assert tuple(metrics["per_label"]) == LABELS
    for label in LABELS:
        assert set(metrics["per_label"][label]) == {
            "precision", "recall", "f1", "auc", "pr_auc", "threshold", "support", "unknown", "calibration_error",
            "true_positives", "false_positives", "false_negatives", "true_negatives",
        }  # fmt: skip
        assert 0 < metrics["per_label"][label]["threshold"] < 1
    assert {"channel=chat", "channel=mail", "labels=refund", "text_length=0-49"} <= set(summary["slices"])
    assert (
        summary["small_slices"].items()
        >= {"channel=chat": summary["slices"]["channel=chat"]["candidate"]["examples"]}.items()
    )
    macro_f1, against_baseline, *_ = summary["gates"]
    low, high = macro_f1["interval"]
    assert low <= macro_f1["value"] <= high
    assert (against_baseline["passed"], against_baseline["asked"]) == (True, False)
    assert set(summary["durations_s"]) >= {"Trainer", "MultiLabelEvaluator", "Blessing", "RegistryPusher"}
    assert summary["versions"]["tfx"]
    assert summary["canary"]["passed"]
    assert summary["canary"]["findings"]["largest_difference"] <= 1e-5
    record = json.loads(Path(summary["pushed"], "model.json").read_text())
    assert record["trained_on"]["rows"] == summary["data"]["splits"]
    assert record["macro_f1"] == metrics["macro_f1"]
    profile = read_profile(str(project.registry), record["model_id"])
    assert profile is not None
    features = {feature.path.step[0]: feature for feature in profile.datasets[0].features}
    assert {"labels", "text_length", "slice channel", *(f"probability of {label}" for label in LABELS)} <= set(features)
    assert profile.datasets[0].num_examples == summary["data"]["splits"]["eval"]
    assert features["unknown_pieces"].num_stats.mean == 0, "MiniLM knows all words of the project"
    gates = {gate["gate"]: (gate["value"], gate["passed"]) for gate in summary["gates"]}
    assert gates["behaviour[one word] >= 0.9"] == gates["behaviour[loud] >= 1"] == (1.0, True)


def test_the_pushed_model_predicts_in_a_process_without_tfx(first: tuple[int, dict[str, Any]]) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _FRESH_PROCESS, first[1]["pushed"]],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["tfx"] == []
    assert [sorted(filter(None, row)) for row in found["labels"]] == [["refund"], ["praise"], [], []]
    assert found["multi_hot"] == [[0.0, 0.0, 1.0]] * 4
    assert found["token_ids"][3][:3] == [101, 102, 0], "an empty text is [CLS] [SEP], then padding"
    assert found["nothing"] == [0, 3]
    for served, default in zip(found["served"], found["default"], strict=True):
        assert served == pytest.approx(default, abs=1e-6)


def test_predict_prints_labels_and_probabilities(
    project: Project, first: tuple[int, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert first[0] == 0
    assert command("predict", "--model", str(project.registry), "--text", "refund my money", "--json") == 0
    prediction = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert prediction["labels"] == ["refund"]
    assert set(prediction["probabilities"]) == set(LABELS)


def test_score_gives_every_row_of_a_file_the_labels_of_the_live_model(
    project: Project, first: tuple[int, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    output = project.folder / "scored"
    rows = [*project.data.read_text().splitlines()[:11], "r99,,,chat"]
    (project.folder / "new.csv").write_text("\n".join(rows) + "\n")
    arguments = ("--config", str(project.configuration), "--input", str(project.folder / "new.csv"))
    assert command("score", *arguments, "--output", str(output), "--format", "jsonl", "--json") == 0
    record = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert record["rows"] == {"read": 11, "scored": 10, "quarantined": 1, "reasons": {"blank text": 1}}
    assert record["model"]["path"] == first[1]["pushed"]
    assert record["model"]["version"] == int(Path(first[1]["pushed"]).name)
    scores = [json.loads(line) for line in (output / "scores" / "scores-00000-of-00001.jsonl").read_text().splitlines()]
    predictions = predict_texts(first[1]["pushed"], [row.split(",")[1] for row in rows[1:11]])
    for score, prediction in zip(scores, predictions, strict=True):
        assert score["slices"]["channel"] in ("chat", "mail")
        assert score["labels"] == prediction.as_json()["labels"]
        assert score["probabilities"] == pytest.approx(prediction.as_json()["probabilities"], abs=2e-6)


def test_texts_near_the_thresholds_are_put_before_people_and_their_answers_read_back(
    project: Project, first: tuple[int, dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert first[0] == 0
    scored, review, reviewed = tmp_path / "scored", tmp_path / "review", tmp_path / "reviewed.csv"
    arguments = ("--config", str(project.configuration), "--input", str(project.data), "--output", str(scored))
    assert command("score", *arguments, "--fields", "text,probabilities", "--quiet") == 0
    assert (
        command("review", "sample", "--scores", str(scored), "--output", str(review), "--count", "9", "--band", "9")
        == 0
    )
    tasks = json.loads((review / "tasks.json").read_text())
    assert len(tasks) == 9
    assert {task["predictions"][0]["model_version"] for task in tasks} == {Path(first[1]["pushed"]).name}
    asked = {label for task in tasks for label in task["data"]["asked"]}
    assert asked == set(LABELS), "the labels take turns"
    # Two tasks are answered as the model says, the others are left.
    with (review / "tasks.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    with (review / "tasks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(row | ({"done": "yes"} if number < 2 else {}) for number, row in enumerate(table))
    assert command("review", "collect", str(review / "tasks.csv"), "--output", str(reviewed)) == 0
    assert "2 texts with" in capfd.readouterr().out
    with reviewed.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, task in zip(rows, tasks[:2], strict=True):
        assert (row["id"], row["text"]) == (task["data"]["row"], task["data"]["text"])
        assert set(task["data"]["asked"]) <= set(row["asked"].split("|"))


def test_an_unchanged_run_takes_everything_from_the_cache(
    project: Project, first: tuple[int, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("run", "--config", str(project.configuration), "--json") == 0
    printed = capfd.readouterr()
    summary, shown = json.loads(printed.out), printed.err
    steps = [line for line in shown.splitlines() if line.startswith("[") and not line.endswith("...")]
    assert len(steps) == len(summary["durations_s"])
    assert [step for step in steps if "taken from the cache" not in step] == []
    assert summary["pushed"] == first[1]["pushed"]
    assert summary["metrics"] == first[1]["metrics"]


def test_a_model_that_the_canary_cannot_try_is_not_pushed(
    project: Project, first: tuple[int, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    status, summary = run(project, "canary.memory_limit_mb=150")
    assert status == 1
    assert (summary["outcome"], summary["blessed"], summary["pushed"]) == ("untried", False, None)
    (reason,) = summary["reasons"]
    assert "above the limit of 150 MiB; raise canary.memory_limit_mb" in reason
    assert "above the limit of 150 MiB" in capfd.readouterr().err
    assert [path.name for path in project.registry.iterdir() if path.name.isdigit()] == [Path(first[1]["pushed"]).name]


def test_a_bad_model_is_not_pushed_and_never_becomes_the_baseline(
    project: Project, first: tuple[int, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    gates = (
        "macro_f1 >= baseline - 0.2", "hamming_loss <= 0.9", "f1[*] >= 0.8 where support >= 10",
        "f1 in channel=chat >= 0.8", "auc in channel=chat, text_length=0-49 >= 0.99",
        "auc in text_length=1000+ >= 0.99",
    )  # fmt: skip
    status, bad = run(
        project, "training.max_steps=1", f"evaluation.gates={list(gates)}", "evaluation.min_support=30",
        "evaluation.slices=[channel, channel*text_length]",
    )  # fmt: skip
    assert status == 3
    assert not bad["blessed"]
    assert bad["pushed"] is None
    assert "behaviour[one word] >= 0.9" in {gate["gate"] for gate in bad["gates"]}
    shown = " ".join(capfd.readouterr().out.split())
    for reason in bad["reasons"]:
        assert f" {reason} " in shown
    outcomes = {gate["gate"]: gate for gate in bad["gates"]}
    assert tuple(outcomes)[: len(gates)] == gates
    passed = [gate for gate in gates if outcomes[gate]["passed"]]
    assert passed == ["hamming_loss <= 0.9", "auc in text_length=1000+ >= 0.99"]
    assert "text_length=1000+ has 0 examples, evaluation.min_support is 30" in outcomes[passed[-1]]["note"]
    assert " of 3 labels fail: f1[" in outcomes["f1[*] >= 0.8 where support >= 10"]["note"]
    assert bad["baseline"]["macro_f1"] == first[1]["metrics"]["macro_f1"]

    # One that reads its texts in windows of four word pieces; every step and command takes it like any other.
    windows = "long_texts.windows={size: 6, stride: 2, most: 6, pool: max}"
    status, good = run(project, "training.seed=1", "max_tokens=6", windows)
    assert status == 0
    assert good["pushed"] not in (None, first[1]["pushed"])
    assert good["canary"]["findings"]["largest_difference"] <= 1e-5
    (prediction,) = predict_texts(good["pushed"], ["the slow login is not to my and it is a refund"])
    assert sorted(prediction.as_json()["labels"]) == ["account", "refund"]
    # The baseline is the first model, which is served, and not the bad one in between.
    assert good["baseline"]["macro_f1"] == first[1]["metrics"]["macro_f1"]
    assert Path(first[1]["pushed"]).is_dir()


def test_each_run_has_a_report_that_can_be_written_again(project: Project, first: tuple[int, dict[str, Any]]) -> None:
    run_of_first = sorted(project.runs.iterdir())[0]
    page = (run_of_first / "report.html").read_text()
    assert "Blessed and pushed" in page
    assert Path(first[1]["pushed"]).name in page
    for part in (
        "Label by label",
        "Wrongly given:",
        "Loss by epoch",
        "Reliability",
        "learning_rate",
        "largest difference from",
    ):
        assert part in page
    assert "# Model card: small" in (run_of_first / "model_card.md").read_text()
    (run_of_first / "report.html").unlink()
    assert command("report", str(run_of_first), "--no-texts") == 0
    again = (run_of_first / "report.html").read_text()
    assert "Texts are not shown" in again
    assert again.count("<svg") == page.count("<svg")


def _with_label_errors(run: Path, folder: Path) -> tuple[Path, set[str]]:
    """Return a copy of a run in whose train split some rows lack their label, or have one too many; and their ids."""
    import tensorflow as tf

    artifacts = json.loads((run / "artifacts.json").read_text())
    shutil.copytree(artifacts["TextExampleGen"]["examples"], folder / "examples")
    artifacts["TextExampleGen"]["examples"] = str(folder / "examples")
    (path,) = (folder / "examples" / "Split-train").iterdir()
    records = list(tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator())
    wrong: dict[bool, list[str]] = {True: [], False: []}
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for record in records:
            example = tf.train.Example.FromString(record)
            labels = example.features.feature["labels"].bytes_list.value
            of_kind = wrong[b"refund" in labels]
            if len(of_kind) < 6:
                of_kind.append(example.features.feature["id"].bytes_list.value[0].decode())
                labels[:] = sorted({*labels} ^ {b"refund"})
            writer.write(example.SerializeToString())
    copy = folder / run.name
    copy.mkdir()
    for name in ("summary.json", "configuration.json"):
        shutil.copy(run / name, copy)
    (copy / "artifacts.json").write_text(json.dumps(artifacts))
    return copy, {*wrong[True], *wrong[False]}


def test_suspects_are_found_written_and_shown_in_the_report(
    project: Project, first: tuple[int, dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert first[0] == 0
    run_of_first, wrong = _with_label_errors(sorted(project.runs.iterdir())[0], tmp_path)
    assert command("suspects", "--run", str(run_of_first), "--top", "5", "--folds", "3") == 0
    shown = capfd.readouterr().out
    with (run_of_first / "suspects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [row["id"] for row in rows if row["label"] == "refund"]
    assert set(found[:5]) < wrong
    assert len(wrong & set(found)) >= 8
    assert all(row["given"] != row["suggested"] for row in rows)
    assert rows[0]["id"] in shown
    assert f"{len(rows)} suspects in {first[1]['data']['splits']['train']} examples" in " ".join(shown.split())
    page = (run_of_first / "report.html").read_text()
    assert 'id="suspects-table"' in page
    assert rows[0]["text"] in page


def test_history_lists_every_run(
    project: Project, first: tuple[int, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert command("history", "--config", str(project.configuration), "--json") == 0
    runs = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(runs) == len(list(project.runs.iterdir()))
    assert runs[-1]["outcome"] == "pushed"
    assert runs[-1]["pushed"] == first[1]["pushed"]
    assert runs[-1]["macro_f1"] == first[1]["metrics"]["macro_f1"]
    assert runs[-1]["cached"] == 0
    assert runs[-1]["steps"] == len(first[1]["durations_s"])
    assert runs[-2]["cached"] == runs[-2]["steps"], "the second run took everything from the cache"
    (bad,) = (run["reasons"][0] for run in runs if run["outcome"] == "not blessed")
    assert "macro_f1" in bad
    (untried,) = (run["reasons"][0] for run in runs if run["outcome"] == "stopped")
    assert "the model was not judged" in untried
    assert [run["outcome"] for run in runs].count("pushed") == 3


def test_an_unknown_label_stops_the_run_before_training(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "project", rows=60)
    with project.data.open("a", encoding="utf-8") as rows:
        rows.write("x1,my money,refnd|praise,chat\nx2,a refund,refnd,chat\n")
    status, summary = run(project)
    assert status == 2
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert "'refnd'" in line
    assert "2 rows" in line
    assert "rows.csv:62" in line
    assert "did you mean 'refund'?" in line
    assert summary["reasons"] == [line.removeprefix("error: ")]
    assert not (project.folder / "work" / "artifacts" / "Trainer").exists()
    assert not project.registry.exists()
    (stopped,) = project.runs.iterdir()
    assert "Refused before a model was judged" in (stopped / "report.html").read_text()
    assert command("history", str(project.folder / "work")) == 0
    assert "stopped" in capfd.readouterr().out


def test_a_project_written_by_init_runs_as_it_is(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=200)
    output = tmp_path / "new"
    assert command("init", "--data", str(project.data), "--output", str(output)) == 0
    configuration = str(output / "pipeline.yaml")
    # A trial of a few steps, whose model may be good or bad.
    status = command("run", "--config", configuration, "--set", "training.max_steps=3")
    assert status in (0, 3)
    (run,) = (output / "runs" / "rows" / "runs").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert sorted(summary["metrics"]["per_label"]) == sorted(LABELS)
    assert summary["rows"]["accepted"] == 200


def test_variants_are_pushed_beside_the_live_version_without_training_again(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    status, summary = run(project, "training.export.variants=[bfloat16, onnx, int8]", "canary.latency_ratio=50")
    assert status == 0
    assert "Trainer: unchanged, taken from the cache" in "".join(capfd.readouterr())
    found = {each["name"]: each for each in summary["variants"]["variants"]}
    assert {name: each["reasons"] for name, each in found.items()} == {"bfloat16": [], "onnx": [], "int8": []}
    assert found["onnx"]["canary"]["largest_difference"] <= 1e-4
    assert found["onnx"]["canary"]["requests"] == 7 + 1, "the canary's and the reference batch"
    assert found["onnx"]["metrics"]["per_label"].keys() == summary["metrics"]["per_label"].keys()
    assert found["onnx"]["metrics"]["macro_f1"] == pytest.approx(summary["metrics"]["macro_f1"], abs=0.01)
    assert 0.2 < found["int8"]["size_mb"] / summary["variants"]["full_size_mb"] < 0.4
    assert 0.4 < found["bfloat16"]["size_mb"] / summary["variants"]["full_size_mb"] < 0.7
    assert command("models", "verify", "--registry", str(project.registry)) == 0

    texts = ["refund my money", "thanks i love it", "the slow", "", "天 …"]
    expected = [prediction.as_json() for prediction in predict_texts(summary["pushed"], texts)]
    number = Path(summary["pushed"]).name
    for name in ("onnx", "int8"):
        client = project.registry / "variants" / name / number / "client.py"
        answer = subprocess.run(
            [sys.executable, "-I", str(client), *texts], capture_output=True, text=True, check=True, cwd="/"
        )
        assert answer.stdout.splitlines() == [
            f"{text}\t{each['labels']}" for text, each in zip(texts, expected, strict=True)
        ]
    half = predict_texts(str(project.registry / "variants" / "bfloat16" / number), texts)
    for each, prediction in zip(expected, half, strict=True):
        assert prediction.as_json()["probabilities"] == pytest.approx(each["probabilities"], abs=0.05)
    page = (sorted(project.runs.iterdir())[-1] / "report.html").read_text()
    assert "F1 of each label, each model at thresholds of its own" in page
