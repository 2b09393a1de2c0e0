"""The search through TFX's Tuner, with real trainings of a tiny model."""

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tfx.components.tuner.executor import Executor
from tfx.dsl.components.base import base_executor
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.utils import json_utils, proto_utils

from components.common.files import list_folder
from components.trainer import run, search
from components.trainer.settings import TrainerConfig, TrainingSettings
from components.trainer.tuning.trials import read_trials
from schema.errors import Refused
from tests.components.trainer.pair_rows import PAIRS, transformed

_OVER = {"learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log"}, "batch_size": [4, 8]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformed(tmp_path_factory, pair=False)


@pytest.fixture(scope="module")
def bert(root: Path) -> Path:
    return root / "bert"


class _Killed(BaseException):
    """Stands for the end of the process: nothing below the test catches it."""


def _tune(folder: Path, root: Path, bert: Path, registry: Path, **tune: Any) -> dict[str, Any]:
    """Run TFX's Tuner and return the best values; its results are in `folder`."""
    training = TrainingSettings.model_validate({"epochs": 2, "batch_size": 8, "seed": 1})
    config = TrainerConfig(training=training, checkpoint=str(bert), checkpoint_fingerprint="f")
    settings = TrainingSettings.model_validate({"tune": {"trials": 4, "over": _OVER} | tune}).tune
    assert settings is not None
    examples, graph, schema = (
        kind() for kind in (standard_artifacts.Examples, standard_artifacts.TransformGraph, standard_artifacts.Schema)
    )
    examples.uri, graph.uri, schema.uri = (str(root / name) for name in ("examples", "graph", "schema"))
    examples.split_names = artifact_utils.encode_split_names(["train"])
    best, results = standard_artifacts.HyperParameters(), standard_artifacts.TunerResults()
    best.uri, results.uri = str(folder / "best"), str(folder)
    Executor(base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")).Do(
        {
            standard_component_specs.EXAMPLES_KEY: [examples],
            standard_component_specs.TRANSFORM_GRAPH_KEY: [graph],
            standard_component_specs.SCHEMA_KEY: [schema],
        },
        {
            standard_component_specs.BEST_HYPERPARAMETERS_KEY: [best],
            standard_component_specs.TUNER_RESULTS_KEY: [results],
        },
        {
            "tuner_fn": "components.trainer.search.tuner_fn",
            standard_component_specs.TRAIN_ARGS_KEY: proto_utils.proto_to_json(TrainArgs(splits=["train"])),
            standard_component_specs.EVAL_ARGS_KEY: proto_utils.proto_to_json(EvalArgs(splits=["train"])),
            standard_component_specs.CUSTOM_CONFIG_KEY: json_utils.dumps(
                {
                    "trainer": config.model_dump(mode="json"),
                    "tune": settings.model_dump(mode="json"),
                    "registry": str(registry),
                }
            ),
        },
    )
    content: dict[str, Any] = json.loads((folder / "best" / "best_hyperparameters.txt").read_text())
    return content["values"]  # type: ignore[no-any-return]


def test_a_killed_search_goes_on_and_a_complete_one_is_used_again(
    tmp_path: Path, root: Path, bert: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[TrainingSettings] = []
    train = run.train

    def counted(config: TrainerConfig, data: Any) -> Any:
        if len(trained) == 1 and not killed:
            killed.append(True)
            raise _Killed
        trained.append(config.training)
        return train(config, data)

    killed: list[bool] = []
    # TFX reloads the module of `tuner_fn`, which then imports this.
    monkeypatch.setattr(run, "train", counted)
    registry = tmp_path / "registry"
    with pytest.raises(_Killed):
        _tune(tmp_path / "killed", root, bert, registry)
    best = _tune(tmp_path / "resumed", root, bert, registry)
    assert len(trained) == 4
    # The first trial has the values of the configuration; the trials of the first round make a third of the steps.
    assert (trained[0].learning_rate, trained[0].batch_size) == (1e-4, 8)
    full = [settings for settings in trained if settings.max_steps is None]
    assert len(full) == 1
    steps = {8: round(2 * math.ceil(len(PAIRS) / 8) / 3), 4: round(2 * math.ceil(len(PAIRS) / 4) / 3)}
    assert all(settings.max_steps in (None, steps[settings.batch_size]) for settings in trained)
    trials = read_trials(str(tmp_path / "resumed"))
    assert [trial.share for trial in trials.trials] == [1, 1 / 3, 1 / 3, 1 / 3]
    assert {name: best[name] for name in _OVER} == trials.trials[0].values
    assert full[0].learning_rate == best["learning_rate"]
    # A later run on other data uses it without a training, until it is too old.
    assert _tune(tmp_path / "again", root, bert, registry) == best
    assert len(trained) == 4
    assert capsys.readouterr().out == ""
    (folder,) = list_folder(f"{registry}/.tuning")
    found = search.Found.read(f"{registry}/.tuning/{folder}")
    older = found.model_copy(update={"when": found.when - timedelta(days=31)})
    older.write(f"{registry}/.tuning/{folder}")
    _tune(tmp_path / "same", root, bert, registry)
    assert len(trained) == 4
    monkeypatch.setattr(run, "train", lambda *_: (_ for _ in ()).throw(FloatingPointError("the loss is nan")))
    with pytest.raises(Refused, match=r"3 trials in a row failed, the last one with: the loss is nan; leave out of"):
        _tune(tmp_path / "late", root, bert, registry, retune="every 30 days")
