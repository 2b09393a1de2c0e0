"""Logging of a completed run to MLflow, through MLflow's own client."""

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from components.common.files import is_remote, list_files, list_folder, make_private_folder, read_bytes
from components.evaluation.metrics.values import Metrics
from components.registry import ModelRecord
from components.report.summary import Summary
from components.tracking.settings import MlflowSettings
from components.tracking.tracked import Tracked
from components.trainer.loop.event_files import LABEL_F1, TRAIN, VALIDATION, read_scalars

Value = TypeVar("Value")

# Limits of one request (mlflow 3.17, utils/validation.py, lines 67 and 68).
_METRICS, _PARAMS = 1000, 100
# Characters of a label that the name of a metric cannot have, the slash among them as it divides names; and underscores
# that would read as the beginning of such a character's code.
_NOT_IN_NAMES = re.compile(r"[^\w\-. :]|^\.+$|_(?=[0-9a-f]+(?:_|[^\w\-. :]))")
# A name has 250 characters at most, and a file store keeps each part of it as a file, whose name has 255 bytes.
_MOST_BYTES = 200
# Files beside the curves, by the artifact that has them.
_REPORT_FILES = ("report.html", "model_card.md", "summary.json")
_TRAINING_FILES = ("history.json", "calibration.json")


@dataclass(frozen=True)
class Sources:
    """What is logged of a run.

    Attributes:
        pipeline: Name of the pipeline.
        hyper_parameters: Settings by which runs are compared.
        model_dir: Directory of the exported model.
        model_run: URI of the Trainer's ModelRun.
        report: URI of the Report's RunReport.
        texts: Whether texts of the data may be logged.
    """

    pipeline: str
    hyper_parameters: Mapping[str, str | int | float | bool]
    model_dir: str
    model_run: str
    report: str
    texts: bool = True


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    name: str
    value: float
    step: int


def log_run(settings: MlflowSettings, sources: Sources) -> Tracked:
    """Create a run and log hyper-parameters, curves, metrics of the test split, tags and files.

    Args:
        settings: Which server, and what it gets.
        sources: What is logged.

    Returns:
        The run, which is marked as failed if logging was interrupted.

    Raises:
        Exception: Whatever MLflow's client raises, such as mlflow.exceptions.MlflowException.
    """
    with _environment(settings):
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        if (folder := _local_store(settings.uri)) is not None:
            make_private_folder(folder)  # the report has texts of the data
        client = MlflowClient(tracking_uri=settings.uri)
        summary = Summary.read(sources.report)
        experiment_id = _experiment(client, settings.experiment or sources.pipeline)
        run = client.create_run(experiment_id, tags=_tags(sources, summary), run_name=None).info
        try:
            parameters = [Param(key, str(value)) for key, value in sources.hyper_parameters.items()]
            for params in _batches(parameters, _PARAMS):
                client.log_batch(run.run_id, params=params)
            now = int(time.time() * 1000)
            points = [*curves(sources.model_run), *test_metrics(summary)]
            for metrics in _batches(points, _METRICS):
                client.log_batch(run.run_id, [Metric(point.name, point.value, now, point.step) for point in metrics])
            _log_files(client, run.run_id, settings, sources)
        except BaseException:
            client.set_terminated(run.run_id, "FAILED")
            raise
        client.set_terminated(run.run_id, "FINISHED")
    return Tracked(uri=settings.uri, experiment_id=experiment_id, run_id=run.run_id)


def curves(model_run: str) -> Iterator[Point]:
    """Yield what TensorBoard shows of a training, named `train/...` and `eval/...`.

    Args:
        model_run: Folder that has the training's event files below it.
    """
    for split, prefix in ((TRAIN, "train"), (VALIDATION, "eval")):
        for tag, points in read_scalars(f"{model_run}/{split}").items():
            for step, value in points:
                label = tag.removeprefix(LABEL_F1)
                name = tag if label == tag else f"{LABEL_F1}{label_name(label)}"
                yield Point(f"{prefix}/{name}", value, step)


def test_metrics(summary: Summary) -> Iterator[Point]:
    """Yield the candidate's metrics on the test split, named `test/...`, and those of each label, `test/f1/<label>`."""
    if summary.metrics is None:
        return
    for name, value in _numbers(summary.metrics):
        yield Point(f"test/{name}", value, 0)
    for label, metrics in summary.metrics.per_label.items():
        for name, value in metrics.model_dump().items():
            if isinstance(value, int | float):
                yield Point(f"test/{name}/{label_name(label)}", float(value), 0)


def _numbers(metrics: Metrics) -> Iterator[tuple[str, float]]:
    for name, value in metrics.model_dump(exclude={"per_label"}).items():
        if isinstance(value, int | float):
            yield name, float(value)


def _batches(values: Sequence[Value], size: int) -> Iterator[Sequence[Value]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _experiment(client: Any, name: str) -> str:
    existing = client.get_experiment_by_name(name)
    return str(existing.experiment_id if existing is not None else client.create_experiment(name))


def _tags(sources: Sources, summary: Summary) -> dict[str, str]:
    record = ModelRecord.read(sources.model_dir)
    return {
        "pipeline": sources.pipeline,
        "outcome": summary.outcome,
        "blessed": str(summary.blessed).lower(),
        "pushed": summary.pushed or "",
        "model_id": record.model_id,
        "reasons": "; ".join(summary.reasons)[:5000],
    }


def _log_files(client: Any, run_id: str, settings: MlflowSettings, sources: Sources) -> None:
    with tempfile.TemporaryDirectory() as copies:
        for folder, names in ((sources.report, _REPORT_FILES), (sources.model_run, _TRAINING_FILES)):
            for name in names:
                for path in list_files(f"{folder}/{name}"):
                    client.log_artifact(run_id, _local(path, copies))
        # The file with the texts is that of no split.
        for split in (*([""] if sources.texts else []), f"/{TRAIN}", f"/{VALIDATION}"):
            for path in list_files(f"{sources.model_run}{split}/events.out.tfevents.*"):
                client.log_artifact(run_id, _local(path, copies), f"tensorboard{split}")
        if settings.model:
            for path in _files_below(sources.model_dir):
                below = path.removeprefix(sources.model_dir).strip("/").rpartition("/")[0]
                client.log_artifact(run_id, _local(path, copies), f"model/{below}".rstrip("/"))


def _local(path: str, copies: str) -> str:
    """Return a local path with the content of a file."""
    if not is_remote(path):
        return path
    copy = Path(tempfile.mkdtemp(dir=copies)) / path.rsplit("/", 1)[1]
    copy.write_bytes(read_bytes(path))
    return str(copy)


def _files_below(folder: str) -> Iterator[str]:
    if not is_remote(folder):
        yield from (str(path) for path in sorted(Path(folder).rglob("*")) if path.is_file())
        return
    yield from list_files(f"{folder.rstrip('/')}/*")
    for name in sorted(list_folder(folder)):
        if list_folder(f"{folder.rstrip('/')}/{name}"):
            yield from _files_below(f"{folder.rstrip('/')}/{name.rstrip('/')}")


def label_name(label: str) -> str:
    """Return a label as part of a metric's name, which may have letters, digits and `_-. :`; others become their code.

    Different labels have different names. Of one that is too long, the end is replaced by a digest.

    Example:
        >>> label_name("refund"), label_name("R&D/退款"), label_name("R_26_D")
        ('refund', 'R_26_D_2f_退款', 'R_5f_26_D')
    """
    name = _NOT_IN_NAMES.sub(lambda match: "".join(f"_{ord(each):x}_" for each in match[0]), label)
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= _MOST_BYTES:
        return name
    return f"{encoded[: _MOST_BYTES - 20].decode(errors='ignore')}... {sha256(label.encode()).hexdigest()[:16]}"


def _local_store(uri: str) -> str | None:
    """Return the folder of MLflow's store of files; None if the runs go elsewhere."""
    if uri.startswith("file:"):
        return url2pathname(urlsplit(uri).path)
    return None if ":" in uri or uri.startswith("databricks") else uri  # MLflow's only names without a colon


@contextmanager
def _environment(settings: MlflowSettings) -> Iterator[None]:
    """Bound the client's patience, which is 7 tries of 120 s, and switch off what it reports to its makers."""
    wanted = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(settings.timeout_s),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(settings.retries),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # MLflow 3 recommends a database, but a folder still does for a person on one machine, who chose it.
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
