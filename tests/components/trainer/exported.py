"""Exporting a model through the Trainer's `run_fn`."""

from pathlib import Path

from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer.run import run_fn
from components.trainer.settings import TrainerConfig


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
