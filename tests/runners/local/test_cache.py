"""A damaged model is not taken from the cache: the step makes it anew, and later steps read the new one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.registry import ModelRecord, checksums, content_id
from components.trainer.driver import Driver
from runners.local.runner import _ObservedDagRunner

_WEIGHTS = "Format-Serving/variables/variables.data-00000-of-00001"


class Recorder:
    """Observer that keeps which steps came from the cache."""

    def __init__(self) -> None:
        self.cached: dict[str, bool] = {}

    def step_started(self, name: str, position: int, steps: int) -> None:
        """Ignore the start."""

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:  # noqa: ARG002
        """Keep whether the step came from the cache."""
        self.cached[name] = cached


@tfx.dsl.components.component  # type: ignore[untyped-decorator]
def Trainer(  # noqa: N802 - the name of the step
    examples: InputArtifact[standard_artifacts.Examples],
    model: OutputArtifact[standard_artifacts.Model],
    log: OutputArtifact[standard_artifacts.ModelRun],
) -> None:
    """Export a model of two files, with its record."""
    assert Path(examples.uri).is_dir()
    weights = Path(model.uri, _WEIGHTS)
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    folder = Path(model.uri, "Format-Serving")
    (folder / "saved_model.pb").write_bytes(b"graph")
    Path(log.uri).mkdir(exist_ok=True)
    ModelRecord(
        model_id=content_id(checksums(str(folder))), labels=["a"], thresholds=[0.5], checkpoint="c", created="",
        versions={},
    ).write(str(folder))  # fmt: skip


@tfx.dsl.components.component  # type: ignore[untyped-decorator]
def Reader(  # noqa: N802 - the name of the step
    model: InputArtifact[standard_artifacts.Model],
    log: InputArtifact[standard_artifacts.ModelRun],
    seen: Parameter[str],
) -> None:
    """Keep the weights that a later step reads."""
    assert Path(log.uri).is_dir()
    with Path(seen).open("a") as file:
        file.write(Path(model.uri, _WEIGHTS).read_text() + "\n")


def test_a_damaged_cached_model_is_made_anew(tmp_path: Path) -> None:
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db"))
    seen = tmp_path / "seen"

    (tmp_path / "examples").mkdir()

    def run() -> tuple[dict[str, bool], dict[str, str]]:
        examples = tfx.dsl.Importer(str(tmp_path / "examples"), standard_artifacts.Examples).with_id("Examples")
        trainer = Trainer(examples=examples.outputs["result"])
        trainer.driver_class = Driver
        reader = Reader(model=trainer.outputs["model"], log=trainer.outputs["log"], seen=str(seen))
        pipeline: Any = tfx.dsl.Pipeline(
            pipeline_name="cache", pipeline_root=str(tmp_path / "root"), enable_cache=True,
            components=[examples, trainer, reader], metadata_connection_config=connection,
        )  # fmt: skip
        recorder = Recorder()
        runner = _ObservedDagRunner(recorder)
        runner.run(pipeline)
        recorder.cached.pop("Examples")
        return recorder.cached, runner.outcome.artifacts["Trainer"]

    run()
    cached, outputs = run()
    assert cached == {"Trainer": True, "Reader": True}
    damaged = Path(outputs["model"])
    (damaged / _WEIGHTS).write_bytes(b"weightz")
    cached, outputs = run()
    assert cached == {"Trainer": False, "Reader": False}
    assert not damaged.exists()
    assert seen.read_text() == "weights\nweights\n"
    assert run() == ({"Trainer": True, "Reader": True}, outputs)
    with metadata.Metadata(connection) as handle:
        states = {artifact.uri: artifact.state for artifact in handle.store.get_artifacts_by_type("Model")}
    assert states == {
        str(damaged): metadata_store_pb2.Artifact.DELETED, outputs["model"]: metadata_store_pb2.Artifact.LIVE,
    }  # fmt: skip
