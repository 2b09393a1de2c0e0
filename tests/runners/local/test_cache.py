"""What is damaged, removed, or left by a killed run is not taken from the cache, nor for something new."""

import io
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import standard_artifacts

from components.registry import ModelRecord, checksums, content_id
from pipeline.artifact_store import ArtifactStore
from pipeline.config.retention import RetentionSettings
from pipeline.console import PlainConsole
from pipeline.retention import clean_up, settle
from pipeline.work_dir import WorkDir
from runners.local.runner import _ObservedDagRunner
from schema.errors import Refused

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
    Path(log.uri, "events").write_bytes(b"losses" * 1000)
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


@tfx.dsl.components.component  # type: ignore[untyped-decorator]
def Vandal(model: InputArtifact[standard_artifacts.Model]) -> None:  # noqa: N802 - the name of the step
    """Damage the model, as a disk may."""
    Path(model.uri, _WEIGHTS).write_bytes(b"weightz")


@tfx.dsl.components.component  # type: ignore[untyped-decorator]
def Validator(  # noqa: N802 - the name of the step
    model: InputArtifact[standard_artifacts.Model], blessing: OutputArtifact[standard_artifacts.InfraBlessing]
) -> None:
    """Bless the model if the file `verdicts` in the working directory says so, as TFX's InfraValidator marks it."""
    work_dir = Path(model.uri).parents[3]
    blessing.set_int_custom_property("blessed", int((work_dir / "verdicts").read_text()))


class Pipeline:
    """Pipeline of two steps after an importer, in a working directory.

    Args:
        folder: The working directory.
        further: Steps that get the model before the second step does.
    """

    def __init__(self, folder: Path, *further: Any) -> None:
        self.further = further
        self.work_dir = WorkDir(str(folder))
        self.connection = metadata.sqlite_metadata_connection_config(str(self.work_dir.metadata))
        self.seen = folder / "seen"
        self._examples = folder / "examples"
        self._examples.mkdir(parents=True)

    def run(self) -> tuple[dict[str, bool], dict[str, str]]:
        """Run it; return which steps came from the cache, and the outputs of the Trainer."""
        recorder = Recorder()
        runner = _ObservedDagRunner(recorder)
        runner.run(self.build())
        recorder.cached.pop("Examples")
        return recorder.cached, runner.outcome.artifacts["Trainer"]

    def build(self) -> Any:
        """Return the pipeline."""
        examples = tfx.dsl.Importer(str(self._examples), standard_artifacts.Examples).with_id("Examples")
        trainer = Trainer(examples=examples.outputs["result"])
        reader = Reader(model=trainer.outputs["model"], log=trainer.outputs["log"], seen=str(self.seen))
        further = [kind(model=trainer.outputs["model"]) for kind in self.further]
        reader.add_upstream_nodes(further)
        return tfx.dsl.Pipeline(
            pipeline_name="cache", pipeline_root=str(self.work_dir.artifacts), enable_cache=True,
            components=[examples, trainer, *further, reader], metadata_connection_config=self.connection,
        )  # fmt: skip

    def states(self) -> dict[str, int]:
        """Return the state of each model by its URI."""
        with metadata.Metadata(self.connection) as handle:
            return {each.uri: each.state for each in handle.store.get_artifacts_by_type("Model")}


_CACHED, _ANEW = {"Trainer": True, "Reader": True}, {"Trainer": False, "Reader": False}
_LIVE, _DELETED = metadata_store_pb2.Artifact.LIVE, metadata_store_pb2.Artifact.DELETED


def test_damaged_outputs_in_the_cache_are_made_anew(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work")
    pipeline.run()
    cached, outputs = pipeline.run()
    assert cached == _CACHED
    damages = (
        ("model", lambda folder: (folder / _WEIGHTS).write_bytes(b"weightz")),  # of the same size
        ("log", lambda folder: os.truncate(folder / "events", 100)),
        ("log", lambda folder: (folder / "added").touch()),
        ("model", lambda folder: (folder / _WEIGHTS).unlink()),
        ("log", lambda folder: os.mkfifo(folder / "pipe")),
    )
    for key, damage in damages:
        damaged = Path(outputs[key])
        damage(damaged)
        cached, outputs = pipeline.run()
        assert cached == _ANEW, damaged
        assert not damaged.exists()
    assert pipeline.run() == (_CACHED, outputs)
    assert pipeline.seen.read_text() == "weights\n" * (1 + len(damages))
    states = pipeline.states()
    assert states.pop(outputs["model"]) == _LIVE
    assert list(states.values()).count(_DELETED) == 2, "the models that were damaged; not those beside damaged logs"


def test_a_step_refuses_inputs_that_were_damaged_during_the_run(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work", Vandal)
    with pytest.raises(Refused, match=r"Trainer/model/\d+: is not as the step left it that made it; run again"):
        pipeline.run()
    assert not pipeline.seen.exists()
    pipeline.further = ()
    assert pipeline.run()[0] == _ANEW


def test_a_refusal_that_may_be_one_of_the_machine_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work", Validator)
    verdicts = pipeline.work_dir.root + "/verdicts"
    for verdict, is_cached in (("0", False), ("0", False), ("1", False), ("0", True)):
        Path(verdicts).write_text(verdict)
        cached, _ = pipeline.run()
        assert cached["Validator"] == is_cached


def test_what_has_no_digest_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    """Artifacts of releases without digests, and of TFX's own launcher."""
    pipeline = Pipeline(tmp_path / "work")
    LocalDagRunner().run(pipeline.build())
    assert pipeline.run()[0] == _ANEW
    assert pipeline.run()[0] == _CACHED


def test_what_a_clean_up_removed_is_made_anew(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work")
    _, first = pipeline.run()
    registry, settings = str(tmp_path / "registry"), RetentionSettings(keep_runs=1, older_than="0h")
    assert clean_up(settings, pipeline.work_dir, registry).artifacts == []
    pipeline.run()
    assert clean_up(settings, pipeline.work_dir, registry).artifacts == [], "a kept run took them from the cache"
    Path(first["model"], _WEIGHTS).write_bytes(b"weightz")  # so that the next run makes another one
    _, second = pipeline.run()
    assert {Path(each.uri).parts[-3] for each in clean_up(settings, pipeline.work_dir, registry).artifacts} == {
        "Trainer"
    }
    assert not Path(first["log"]).exists()
    assert pipeline.run() == (_CACHED, second)
    store = ArtifactStore(pipeline.work_dir)
    store.delete(store.unneeded(0, datetime.max.replace(tzinfo=UTC), []))
    cached, third = pipeline.run()
    assert cached == _ANEW
    assert set(pipeline.states().values()) == {_DELETED, _LIVE}
    assert [uri for uri, state in pipeline.states().items() if state == _LIVE] == [third["model"]]


def test_what_is_left_without_metadata_is_not_read_as_new(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work")
    _, outputs = pipeline.run()
    left = Path(outputs["model"], "Format-Serving", "variables", "of_another_run")
    left.write_bytes(b"left")
    pipeline.work_dir.metadata.unlink()
    settle(pipeline.work_dir, PlainConsole(file=io.StringIO()))
    assert not left.exists()
    assert pipeline.run()[1] == outputs, "a new metadata file gives the same numbers"
    assert not left.exists()
