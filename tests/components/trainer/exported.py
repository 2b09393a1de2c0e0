"""Models that the Trainer's `run_fn` exports."""

from pathlib import Path

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer.run import run_fn
from components.trainer.settings import TrainerConfig, TrainingSettings
from tests.components.trainer.pair_rows import transformed
from tests.support.once import made_once


def export(folder: Path, root: Path, config: TrainerConfig) -> Path:
    """Train and export a model.

    Args:
        folder: Folder of the output.
        root: Folder that `run_transform` wrote.
        config: Configuration.

    Returns:
        Directory of the SavedModel.
    """
    files = [f"{root}/examples/Split-train/*"]
    run_fn(
        FnArgs(
            train_files=files,
            eval_files=files,
            transform_graph_path=str(root / "graph"),
            schema_path=str(root / "schema" / "schema.pbtxt"),
            serving_model_dir=str(folder / "model"),
            model_run_dir=str(folder / "run"),
            custom_config={"trainer": config.model_dump(mode="json")},
        )
    )
    return folder / "model"


def trained_on_pairs(factory: pytest.TempPathFactory) -> Path:
    """Return a Model artifact of pairs of texts, trained in bfloat16, where most could go wrong; once per test run."""
    root = transformed(factory, pair=True)
    config = TrainerConfig(
        training=TrainingSettings(epochs=1, batch_size=8, precision="bfloat16"),
        checkpoint=str(root / "bert"),
        checkpoint_fingerprint="f",
    )

    def make(folder: Path) -> None:
        export(folder, root, config).rename(folder / "Format-Serving")

    return made_once(factory, "trained-on-pairs", make)
