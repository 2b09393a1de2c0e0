"""What the Trainer exports, through its real `run_fn`."""

import json
from pathlib import Path

from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer.run import run_fn
from components.trainer.settings import TrainerConfig


def export(folder: Path, root: Path, config: TrainerConfig) -> Path:
    """Trains and exports below `folder`, on what `run_transform` left in `root`; returns where the model lies."""
    files = [f"{root}/examples/Split-train/*"]
    run_fn(
        FnArgs(
            train_files=files,
            eval_files=files,
            transform_output=str(root / "graph"),
            schema_path=str(root / "schema" / "schema.pbtxt"),
            serving_model_dir=str(folder / "model"),
            model_run_dir=str(folder / "run"),
            custom_config={"trainer": json.loads(config.model_dump_json())},
        )
    )
    return folder / "model"
