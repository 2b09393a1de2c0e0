"""Choice of the model that a training starts from. Free of TensorFlow: it is made when the pipeline is built."""

from components.registry import find_record, standing
from components.trainer.settings import TrainerConfig, WarmStart


def find_start(registry: str) -> WarmStart | None:
    """Find the newest version of a registry that this pipeline pushed and no rollback has withdrawn.

    Every pushed model is blessed. A version that is found when the pipeline is built becomes part of the Trainer's
    parameters and of its cache key: a training is repeated if and only if there is another model to start from. See
    `with_start` for pipelines that run later.

    Args:
        registry: Folder of the version directories, local or remote.

    Returns:
        The version; None if there is none.

    Raises:
        Refused: The record of a version cannot be read.
    """
    for version in reversed(standing(registry)):
        record = find_record(version)
        if record is not None:  # otherwise pushed by another tool, or deleted since
            return WarmStart(path=version.path, model_id=record.model_id)
    return None


def with_start(config: TrainerConfig) -> TrainerConfig:
    """Return the configuration with the version to start from, if it has to be found at run time.

    A pipeline that is compiled first and run later, as on Kubeflow, would otherwise start every run from the model that
    was the last one when it was compiled.
    """
    if not config.training.warm_start or config.registry is None:
        return config
    return config.model_copy(update={"start": find_start(config.registry)})
