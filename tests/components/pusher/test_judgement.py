"""Baseline, Evaluator, Blessing and Pusher together on the local runner: real drivers, executors, metadata and cache.

The candidate is a folder that an Importer imports; in a whole run a Trainer writes it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components import registry
from components.baseline.component import RegistryBaseline
from components.baseline.record import BaselineRecord
from components.baseline.settings import BaselineSettings
from components.blessing.component import Blessing
from components.blessing.judgement import Judgement
from components.blessing.settings import blessing_settings
from components.evaluation.component import MultiLabelEvaluator
from components.evaluation.eval_config import build_eval_config
from components.evaluation.results import read_evaluation
from components.evaluation.settings import EvaluationSettings
from components.pusher.component import RegistryPusher
from schema.label_list import LabelList
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import LABELS
from tests.support.beam import BEAM_ARGUMENTS

GATES = ["macro_f1 >= 0.3", "macro_f1 >= baseline - 0.5", "f1[*] >= 0.1 where support >= 10"]
STEPS = ["RegistryBaseline", "MultiLabelEvaluator", "Blessing", "RegistryPusher"]


@dataclass(frozen=True)
class Run:
    """A run, as the metadata has it.

    Attributes:
        cached: Whether the step was taken from the cache, by step.
        outputs: Artifacts by step and output.
    """

    cached: dict[str, bool]
    outputs: dict[str, dict[str, Any]]

    @property
    def blessed(self) -> bool:
        return bool(self.outputs["Blessing"]["blessing"].custom_properties["blessed"].int_value)

    @property
    def pushed(self) -> str | None:
        properties = self.outputs["RegistryPusher"]["pushed_model"].custom_properties
        return properties["pushed_destination"].string_value if properties["pushed"].int_value else None

    @property
    def compared_with(self) -> str | None:
        return BaselineRecord.read(self.outputs["RegistryBaseline"]["baseline"].uri).model_id

    @property
    def reasons(self) -> list[str]:
        return Judgement.read(self.outputs["Blessing"]["blessing"].uri).reasons


class Workshop:
    """Runs the four steps on one candidate after another, with one metadata store and one registry."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry = str(root / "registry")
        self.connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
        small_model.write_examples(root / "examples", small_model.truth())
        small_model.write_schema(root / "schema")

    def model(self, name: str, probabilities: Any) -> str:
        return small_model.export(self.root / name, probabilities).model_id

    def run(self, candidate: str) -> Run:
        with metadata.Metadata(self.connection) as handle:
            before = {execution.id for execution in handle.store.get_executions()}
        tfx.orchestration.LocalDagRunner().run(self._pipeline(candidate))
        with metadata.Metadata(self.connection) as handle:
            return _read_run(handle.store, before)

    def _pipeline(self, candidate: str) -> Any:
        examples = self._import("examples", standard_artifacts.Examples, split_names='["train", "eval", "test"]')
        schema = self._import("schema", standard_artifacts.Schema)
        model = self._import(candidate, standard_artifacts.Model)
        baseline = RegistryBaseline(
            model=model.outputs["result"],
            examples=examples.outputs["result"],
            registry=self.registry,
            settings=BaselineSettings(),
        )
        labels, settings = LabelList(tuple(LABELS)), EvaluationSettings(gates=GATES, label_slices=False)
        evaluator = MultiLabelEvaluator(
            examples=examples.outputs["result"],
            model=model.outputs["result"],
            baseline_model=baseline.outputs["baseline"],
            schema=schema.outputs["result"],
            eval_config=build_eval_config(labels, settings),
        )
        blessing = Blessing(
            evaluation=evaluator.outputs["evaluation"],
            model_blessing=evaluator.outputs["blessing"],
            model=model.outputs["result"],
            baseline=baseline.outputs["baseline"],
            settings=blessing_settings(settings, labels, {}),
        )
        pusher = RegistryPusher(
            model=model.outputs["result"],
            model_blessing=blessing.outputs["blessing"],
            push_destination=self.registry,
            pipeline="judgement",
            evaluation=evaluator.outputs["evaluation"],
        )
        return tfx.dsl.Pipeline(
            pipeline_name="judgement",
            pipeline_root=str(self.root / "root"),
            metadata_connection_config=self.connection,
            enable_cache=True,
            components=[examples, schema, model, baseline, evaluator, blessing, pusher],
            beam_pipeline_args=list(BEAM_ARGUMENTS),
        )

    def _import(self, name: str, kind: Any, **properties: str) -> Any:
        node_id = name if kind is not standard_artifacts.Model else "candidate"
        return tfx.dsl.Importer(
            source_uri=str(self.root / name), artifact_type=kind, properties=properties or None
        ).with_id(node_id)


def _read_run(store: Any, before: set[int]) -> Run:
    cached, outputs = {}, {}
    types = {kind.id: kind.name.rsplit(".", 1)[-1] for kind in store.get_execution_types()}
    for execution in store.get_executions():
        step = types[execution.type_id]
        if execution.id in before or step not in STEPS:
            continue
        cached[step] = execution.last_known_state == metadata_store_pb2.Execution.CACHED
        events = store.get_events_by_execution_ids([execution.id])
        of_outputs = [event for event in events if event.type == metadata_store_pb2.Event.OUTPUT]
        artifacts = {each.id: each for each in store.get_artifacts_by_id([event.artifact_id for event in of_outputs])}
        outputs[step] = {event.path.steps[0].key: artifacts[event.artifact_id] for event in of_outputs}
    return Run(cached, outputs)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("judgement"))


def test_judges_and_pushes_a_series_of_models(workshop: Workshop) -> None:
    """Each run finds the registry, metadata and cache that the runs before it left."""
    first = workshop.model("first", small_model.good_probabilities())
    workshop.model("untrained", small_model.bad_probabilities())
    second = workshop.model("second", small_model.good_probabilities(seed=7))
    lopsided = small_model.good_probabilities(seed=8)
    lopsided[:, 0] = 0.01
    workshop.model("lopsided", lopsided)

    # The first good model: nothing to compare with, blessed, pushed.
    run = workshop.run("first")
    assert run.cached == dict.fromkeys(STEPS, False)
    assert (run.blessed, run.compared_with, run.reasons) == (True, None, [])
    (version,) = registry.versions(workshop.registry)
    assert run.pushed == version.path
    assert registry.ModelRecord.read(version.path).model_id == first

    # The same model again: every step is cached, although the registry has one more version.
    run = workshop.run("first")
    assert run.cached == dict.fromkeys(STEPS, True)
    assert registry.versions(workshop.registry) == [version]

    # An untrained model is neither blessed nor pushed, with reasons.
    run = workshop.run("untrained")
    assert (run.blessed, run.pushed, run.compared_with) == (False, None, first)
    assert run.reasons == [
        "macro_f1 is 0, below the bound of 0.3",
        "macro_f1 is 0, the baseline's is 0.514448: below the bound of 0.0144482",
        "3 of 3 labels fail: "
        + "".join(f"f1[{label}] is 0, below the bound of 0.1, " for label in LABELS[:3]).removesuffix(", ")
        + "; not asked for shy, never",
    ]
    assert registry.versions(workshop.registry) == [version]

    # A model that passes every TFMA threshold, but fails a gate that no threshold can express.
    run = workshop.run("lopsided")
    of_evaluator = run.outputs["MultiLabelEvaluator"]["blessing"].custom_properties
    assert (of_evaluator["blessed"].int_value, run.blessed, run.pushed) == (1, False, None)
    (reason,) = run.reasons
    assert reason.startswith("1 of 3 labels fail: f1[billing] is 0, below the bound of 0.1; not asked for shy, never")
    final = run.outputs["Blessing"]["blessing"]
    assert (Path(final.uri) / "NOT_BLESSED").exists()
    assert final.custom_properties["blessing_message"].string_value == reason
    assert registry.versions(workshop.registry) == [version]

    # The next good model is compared with the first one, not with the bad ones.
    run = workshop.run("second")
    assert (run.blessed, run.compared_with, run.reasons) == (True, first, [])
    old, new = registry.versions(workshop.registry)
    assert (old, run.pushed) == (version, new.path)
    assert registry.ModelRecord.read(new.path).model_id == second

    # The blessing is marked as TFX marks it, for other readers.
    final = run.outputs["Blessing"]["blessing"]
    assert (Path(final.uri) / "BLESSED").exists()
    assert final.custom_properties["current_model"].string_value == str(workshop.root / "second")
    assert final.custom_properties["current_model_id"].int_value > 0
    assert final.custom_properties["baseline_model"].string_value == run.outputs["RegistryBaseline"]["baseline"].uri
    measured = read_evaluation(run.outputs["MultiLabelEvaluator"]["evaluation"].uri, LABELS).candidate
    assert registry.ModelRecord.read(new.path).macro_f1 == measured.macro_f1

    run = workshop.run("second")
    assert run.cached == dict.fromkeys(STEPS, True)

    # The version was removed: the same model is pushed again, once, although nothing else has changed.
    shutil.rmtree(new.path)
    run = workshop.run("second")
    assert run.cached == dict.fromkeys(STEPS, True) | {"RegistryPusher": False}
    _, again = registry.versions(workshop.registry)
    assert (run.pushed, registry.ModelRecord.read(again.path).model_id) == (again.path, second)
    run = workshop.run("second")
    assert run.cached == dict.fromkeys(STEPS, True)
    assert run.pushed == again.path

    # The version was rolled back: the model is compared with the live one, and not pushed again.
    live = registry.rollback(workshop.registry)
    run = workshop.run("second")
    assert (run.blessed, run.compared_with, run.pushed) == (True, first, None)
    assert registry.latest(workshop.registry) == live
    third = workshop.model("third", small_model.good_probabilities(seed=8))
    run = workshop.run("third")
    assert (run.blessed, run.compared_with) == (True, first)
    assert run.pushed == registry.versions(workshop.registry)[-1].path
    assert registry.ModelRecord.read(run.pushed).model_id == third
