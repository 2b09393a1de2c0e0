"""Logging of a run to a real MLflow server, to its file store, and to a server that is down."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Model, ModelRun

from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.registry import ModelRecord
from components.report.artifacts import RunReport
from components.report.summary import LabelSummary, MetricsSummary, Summary
from components.tracking.artifacts import TrackedRun
from components.tracking.executor import Executor
from components.tracking.mlflow_run import Sources, label_name, log_run
from components.tracking.settings import MlflowSettings
from components.tracking.tracked import Tracked
from components.trainer.loop.event_files import TRAIN, VALIDATION, EventFiles
from components.trainer.loop.history import History

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed (it is in requirements.lock)")

_MANY = {f"k{number}": number for number in range(120)}  # more than MLflow takes in a request
_PARAMETERS: dict[str, str | int | float | bool] = {"epochs": 2, "loss.kind": "plain", **_MANY}
_STEPS = 1200  # more than MLflow takes in a request


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Return the artifacts of a run, whose second label has a name that MLflow takes for no metric's."""
    root = tmp_path_factory.mktemp("run")
    files = EventFiles(str(root / "model_run"))
    for step in range(1, _STEPS + 1):
        files.write_scalars(TRAIN, step, {"batch_loss": 1 / step, "learning_rate": 1e-4})
    for epoch, f1 in ((1, 0.25), (2, 0.5)):
        files.write_scalars(VALIDATION, epoch, {"epoch_macro_f1": f1, "f1/R&D": f1 / 2})
    files.close()
    History(loss=[0.5], val_loss=[0.4]).write(str(root / "model_run"))
    counted = ("support", "unknown", "true_positives", "false_positives", "false_negatives", "true_negatives")
    counts = dict.fromkeys(counted, 4)
    shares: Any = {name: 0.5 for name in LabelMetrics.model_fields if name not in counts}
    required = [name for name, field in Metrics.model_fields.items() if field.is_required()]
    averages: Any = {name: 0.5 for name in required if name != "per_label"} | {"examples": 40}
    metrics = MetricsSummary(**averages, per_label={"R&D": LabelSummary(**shares, **counts, threshold=0.3)})
    report = root / "report"
    report.mkdir()
    Summary(outcome="blessed", blessed=True, pushed="/registry/7", reasons=[], metrics=metrics).write(str(report))
    (report / "report.html").write_text("<html>report</html>")
    model = root / "model" / "Format-Serving"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    ModelRecord(model_id="m1", labels=["R&D"], thresholds=[0.3], checkpoint="c", created="now", versions={}).write(
        str(model)
    )
    return Sources("support-mail", _PARAMETERS, str(model), str(root / "model_run"), str(report))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start MLflow's own server, with its artifacts behind it."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        uri = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None, (folder / "log.txt").read_text()
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server and its worker
        process.wait()


def _execute(settings: MlflowSettings, sources: Sources, folder: Path) -> TrackedRun:
    """Run the executor as TFX does; return its output."""
    artifacts: dict[str, Any] = {"model": Model(), "model_run": ModelRun(), "report": RunReport()}
    artifacts["model"].uri = str(Path(sources.model_dir).parent)
    artifacts["model_run"].uri, artifacts["report"].uri = sources.model_run, sources.report
    tracked = TrackedRun()
    tracked.uri = str(folder)
    folder.mkdir()
    Executor().Do(
        {key: [artifact] for key, artifact in artifacts.items()},
        {"tracked": [tracked]},
        {
            "settings": settings.model_dump_json(),
            "pipeline": sources.pipeline,
            "hyper_parameters": json.dumps(sources.hyper_parameters),
            "texts": 1,
        },
    )
    return tracked


def _check(client: Any, run_id: str) -> None:
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {key: str(value) for key, value in _PARAMETERS.items()}
    assert run.data.tags["outcome"] == "blessed"
    assert run.data.tags["pushed"] == "/registry/7"
    assert run.data.tags["model_id"] == "m1"
    losses = client.get_metric_history(run_id, "train/batch_loss")
    assert [point.step for point in losses] == list(range(1, _STEPS + 1))
    assert losses[3].value == pytest.approx(0.25)
    assert [point.value for point in client.get_metric_history(run_id, "eval/epoch_macro_f1")] == [0.25, 0.5]
    assert [point.value for point in client.get_metric_history(run_id, "eval/f1/R_26_D")] == [0.125, 0.25]
    assert run.data.metrics["test/macro_f1"] == 0.5
    assert run.data.metrics["test/threshold/R_26_D"] == 0.3


def test_a_server_gets_parameters_curves_metrics_and_files(
    server: str, sources: Sources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        output = _execute(MlflowSettings(uri=server, model=True), sources, tmp_path / "tracked")
    tracked = Tracked.read(output.uri)
    assert f"logged to MLflow at {server}, run {tracked.run_id}" in caplog.text
    client = mlflow.MlflowClient(tracking_uri=server)
    assert client.get_experiment(tracked.experiment_id).name == "support-mail"
    _check(client, tracked.run_id)
    names = {file.path for file in client.list_artifacts(tracked.run_id)}
    assert names == {"report.html", "summary.json", "history.json", "tensorboard", "model"}
    assert [file.path for file in client.list_artifacts(tracked.run_id, "model/variables")] == [
        "model/variables/variables.index"
    ]
    (events,) = client.list_artifacts(tracked.run_id, "tensorboard/train")
    assert events.file_size == next(Path(sources.model_run, "train").iterdir()).stat().st_size
    assert Path(client.download_artifacts(tracked.run_id, "report.html", str(tmp_path))).read_text() == (
        "<html>report</html>"
    )


def test_a_folder_is_mlflows_file_store(sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = MlflowSettings(uri=str(tmp_path / "runs"), experiment="mail")
    first, second = log_run(settings, replace(sources, texts=False)), log_run(settings, sources)
    assert first.experiment_id == second.experiment_id
    assert Path(settings.uri).stat().st_mode & 0o77 == 0, "reports hold texts"
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient(tracking_uri=settings.uri)
    assert client.get_experiment_by_name("mail").experiment_id == first.experiment_id
    _check(client, first.run_id)
    assert "model" not in {file.path for file in client.list_artifacts(first.run_id)}
    with_texts, without = (
        {file.path for file in client.list_artifacts(run.run_id, "tensorboard")} for run in (second, first)
    )
    assert without == {"tensorboard/train", "tensorboard/validation"}
    assert len(with_texts) == 3


def test_a_server_that_is_down_is_a_notice_and_is_tried_again_by_the_next_run(
    sources: Sources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        output = _execute(MlflowSettings(uri=uri, retries=0, timeout_s=2), sources, tmp_path / "tracked")
    (notice,) = [record for record in caplog.records if record.name == "bert_multilabel.progress"]
    assert notice.getMessage().startswith(f"not logged to MLflow at {uri}: ")
    assert "\n" not in notice.getMessage()
    assert vars(notice)["lasting"], "it stays on the screen"
    # TFX looks into its cache with this function (tfx 1.21, orchestration/portable/cache_utils.py, line 183).
    with pytest.raises(RuntimeError):
        artifact_utils.verify_artifacts({"tracked": [output]})


def test_names_of_labels_stay_apart() -> None:
    labels = ["a b", "a&b", "a/b", "退款", "..", "a_26_b", "a_2&", "a\x0226_", "a_", "x" * 300, "x" * 301, "退" * 100]
    assert len({label_name(label) for label in labels}) == len(labels)
    assert all(len(label_name(label).encode()) <= 200 for label in labels)
    assert label_name("退款") == "退款"
    assert "." not in label_name("..")
