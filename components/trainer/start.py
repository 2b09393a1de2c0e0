"""Which blessed model a training starts from; asked when the pipeline is built, if it can be, so without TensorFlow."""

from components.registry import ModelRecord, standing
from components.trainer.settings import TrainerConfig, WarmStart
from schema.errors import Refused


def find_start(registry: str) -> WarmStart | None:
    """The newest version of the registry that this pipeline pushed, None if there is none: what is pushed is blessed.

    What a rollback took back does not count.

    Found when the pipeline is built, it becomes part of the Trainer's parameters and so of its cache key: a training is
    repeated when, and only when, there is another model to start from. See `with_start` for pipelines that run later.
    """
    for version in reversed(standing(registry)):
        try:
            return WarmStart(path=version.path, model_id=ModelRecord.read(version.path).model_id)
        except Refused:
            continue  # another tool pushed it, or it is gone already
    return None


def with_start(config: TrainerConfig) -> TrainerConfig:
    """What `run_fn` was told, with the version to start from where that is found only now.

    A pipeline that is compiled first and run later, as on Kubeflow, would else start from what was the last model at
    compile time, in every run.
    """
    if not config.training.warm_start or config.registry is None:
        return config
    return config.model_copy(update={"start": find_start(config.registry)})
