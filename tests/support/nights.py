"""Nights of a pipeline without TensorFlow: `run_pipeline` with steps that leave small files as the real ones do.

What publishes is real: ML Metadata's store, the folders of runs, the registry and the baseline's links. Steps record
their executions as TFX's launcher does (tfx 1.21, orchestration/portable/launcher.py): RUNNING with its contexts, then
outputs with events.
"""

import io
import uuid
from collections.abc import Callable
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console

from components import registry
from components.example_gen.report import IngestReport
from components.pusher.push_result import PushResult
from components.registry import ModelRecord, checksums, content_id
from components.report.summary import Summary
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from pipeline.console import PlainConsole
from pipeline.run import run_pipeline
from pipeline.running import Observer, RunResult
from pipeline.work_dir import WorkDir
from tests.support.small_project import Project

STEPS = ("TextExampleGen", "Trainer", "RegistryBaseline", "RegistryPusher", "Report")
_OUTPUTS = {
    "TextExampleGen": ("quarantine", "components.Quarantine"),
    "Trainer": ("model", "Model"),
    "RegistryBaseline": ("baseline", "Model"),
    "RegistryPusher": ("pushed_model", "PushedModel"),
    "Report": ("report", "components.RunReport"),
}

_REPORT = IngestReport.model_validate(
    {
        "read": 20, "accepted": 20, "quarantined": 0, "reasons": {}, "digest": "d", "labels": {}, "spans": [],
        "splits": {"train": 12, "eval": 4, "test": 4},
    }
)  # fmt: skip


class Nights:
    """Runs of one project, each of which trains another model unless it says otherwise.

    Args:
        project: The project.
        size: Size of each file that a step leaves, in bytes.
    """

    def __init__(self, project: Project, size: int = 20_000) -> None:
        self.project = project
        self.size = size
        self.shown = io.StringIO()
        self.number = 0

    @property
    def config(self) -> Configuration:
        return load_configuration(self.project.configuration)

    @property
    def work_dir(self) -> WorkDir:
        return WorkDir(self.config.work_dir)

    def store(self) -> metadata_store.MetadataStore:
        """Return ML Metadata's store, which is created if it does not exist."""
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(self.work_dir.metadata)
        connection.sqlite.connection_mode = 3
        return metadata_store.MetadataStore(connection)

    def run(
        self, *, content: str | None = None, until: str = STEPS[-1], end: Callable[[str], None] | None = None
    ) -> Summary:
        """Run the pipeline once.

        Args:
            content: What the model's files hold; None: something new.
            until: Last step that is executed.
            end: Function that is called with the name of each step when its execution has begun, and may end the run.
        """
        self.number += 1
        runner = _Runner(self, content or f"model {self.number}", until, end or (lambda _: None))
        return run_pipeline(self.config, self.console(), runner)

    def console(self) -> Console:
        return PlainConsole(file=self.shown, width=300)


class _Runner:
    def __init__(self, nights: Nights, content: str, until: str, end: Callable[[str], None]) -> None:
        self._nights = nights
        self._content = content
        self._until = until
        self._end = end
        self._artifacts: dict[str, dict[str, str]] = {}
        self._ids: list[int] = []

    def check(self, config: Configuration) -> None:
        """Refuse nothing."""

    def run(self, config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:
        """Execute the steps."""
        store = self._nights.store()
        context = mlmd.Context(
            type_id=store.put_context_type(mlmd.ContextType(name="pipeline_run")), name=uuid.uuid4().hex
        )
        (context.id,) = store.put_contexts([context])
        steps = STEPS[: STEPS.index(until or self._until) + 1]
        for position, step in enumerate(steps, start=1):
            observer.step_started(step, position, len(steps))
            self._execute(store, context, config, step)
            observer.step_finished(step, 1.0, False, self._artifacts[step])
        return RunResult(self._artifacts, dict.fromkeys(steps, 1.0))

    def _execute(
        self, store: metadata_store.MetadataStore, context: mlmd.Context, config: Configuration, step: str
    ) -> None:
        key, type_name = _OUTPUTS[step]
        type_id = store.put_execution_type(mlmd.ExecutionType(name=f"components.{step}"))
        execution = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.RUNNING)
        stored = store.get_artifacts_by_id(self._ids[-1:]) if self._ids else []
        inputs = [(each, mlmd.Event(type=mlmd.Event.INPUT)) for each in stored]
        execution.id, _, _ = store.put_execution(execution, inputs, [context])
        folder = self._nights.work_dir.artifacts / step / key / str(execution.id)
        folder.mkdir(parents=True)
        self._end(step)
        artifact = mlmd.Artifact(
            type_id=store.put_artifact_type(mlmd.ArtifactType(name=type_name)), uri=str(folder),
            state=mlmd.Artifact.LIVE,
        )  # fmt: skip
        self._write(config, step, folder, artifact)
        execution.last_known_state = mlmd.Execution.COMPLETE
        outputs = [(artifact, mlmd.Event(type=mlmd.Event.OUTPUT))]
        _, ids, _ = store.put_execution(execution, outputs, [context])
        self._ids += ids
        self._artifacts[step] = {key: str(folder)} | ({"model_run": str(folder)} if step == "Trainer" else {})

    def _write(self, config: Configuration, step: str, folder: Path, artifact: mlmd.Artifact) -> None:
        """Write what a step leaves in its folder."""
        model = Path(self._artifacts.get("Trainer", {}).get("model", ""), registry.SERVING_FOLDER)
        match step:
            case "Trainer":
                self._write_model(folder / registry.SERVING_FOLDER)
            case "RegistryBaseline":
                if (version := registry.latest(config.registry)) is not None:
                    registry.copy_model(version.path, str(folder / registry.SERVING_FOLDER), link=True)
            case "RegistryPusher":
                version = registry.push(str(model), config.registry, ModelRecord.read(str(model)))
                PushResult(number=version.number, path=version.path).write(str(folder))
                artifact.custom_properties["pushed_destination"].string_value = version.path
            case "Report":
                newest = registry.latest(config.registry)
                assert newest is not None
                Summary(outcome="blessed", blessed=True, pushed=newest.path, reasons=[]).write(str(folder))
            case _:
                _REPORT.write(str(folder))
                (folder / "data.gz").write_bytes(b"x" * self._nights.size)

    def _write_model(self, folder: Path) -> None:
        weights = folder / "variables" / "variables.data-00000-of-00001"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(self._content.encode() + b"x" * self._nights.size)
        (folder / "saved_model.pb").write_text(self._content)
        ModelRecord(
            model_id=content_id(checksums(str(folder))), labels=["a"], thresholds=[0.5], checkpoint="c", created="",
            versions={},
        ).write(str(folder))  # fmt: skip
