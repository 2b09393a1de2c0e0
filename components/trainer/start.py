"""Which blessed model a training starts from; asked when the pipeline is built, so without TensorFlow."""

from components.registry import read_record, standing
from components.trainer.settings import WarmStart
from schema.errors import Refused


def find_start(registry: str) -> WarmStart | None:
    """The newest version of the registry that this pipeline pushed, None if there is none: what is pushed is blessed.

    What a rollback took back does not count.

    It becomes part of the Trainer's parameters and so of its cache key: a training is repeated when, and only when,
    there is another model to start from. Where a pipeline is compiled first and run later, as on Kubeflow, the version
    is the one at compile time.
    """
    for version in reversed(standing(registry)):
        try:
            return WarmStart(path=version.path, model_id=read_record(version.path).model_id)
        except Refused:
            continue  # another tool pushed it, or it is gone already
    return None
