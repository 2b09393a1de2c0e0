"""Training on several devices: the strategy, the chief, and waiting for one another."""

import json
import os

import tensorflow as tf

from components.trainer.loop.settings import LoopSettings
from schema.errors import Refused


def choose_strategy(settings: LoopSettings) -> tf.distribute.Strategy:
    """Return the strategy of `training.strategy`, TensorFlow's default one if a single device trains.

    If TF_CONFIG names several workers, this must be called before TensorFlow executes anything: their collective
    operations have to be set up first.

    Args:
        settings: Settings; only `strategy` is used.

    Raises:
        Refused: multi_worker is chosen and TF_CONFIG names no worker or is malformed, or TensorFlow has executed
            something already.
    """
    n_workers = _count_workers()
    strategy = settings.strategy
    if strategy == "auto":
        several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
        strategy = "multi_worker" if n_workers > 1 else "mirrored" if several_gpus else "none"
    if strategy == "multi_worker":
        if not n_workers:
            raise Refused("training.strategy multi_worker: TF_CONFIG names no worker; set it, or choose auto")
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            # "Collective ops must be configured at program startup"
            raise Refused(
                "training.strategy multi_worker: TensorFlow is in use in this process already; run the Trainer in a "
                "process of its own, as in a container"
            ) from error
    if strategy == "mirrored":
        # One replica per GPU, or per logical CPU on a machine without GPUs.
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process writes the files of the training, which one of several workers does."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (
        resolver.task_type == "worker" and resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    )


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Block until every worker has called this.

    A worker that exited while the chief still exports would be taken for a crashed one, and TFX expects the export to
    exist when any of them ends.
    """
    if strategy.cluster_resolver is not None and strategy.num_replicas_in_sync > 1:
        barrier = tf.function(
            lambda: strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(())))
        )
        barrier()


def _count_workers() -> int:
    """Return the number of processes in TF_CONFIG that train, 0 if it is not set."""
    text = os.environ.get("TF_CONFIG", "").strip()
    try:
        config = json.loads(text or "{}")
        cluster = config.get("cluster", {})
        return len(cluster.get("chief", [])) + len(cluster.get("worker", []))
    except (ValueError, AttributeError, TypeError):
        raise Refused(f"TF_CONFIG is not what TensorFlow writes there: {text[:60]!r}; unset or correct it") from None
