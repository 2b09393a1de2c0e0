"""What the machine is good for: the arithmetic, and who shares a batch."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from components.trainer.settings import TrainingSettings
from schema.errors import Refused

# The first GPU generation that computes in bfloat16: Ampere.
_CAPABILITY = (8, 0)


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """What is built meanwhile computes as `training.precision` says.

    bfloat16 has float32's range, so that there is no loss to scale; variables are float32 under either policy.
    """
    in_bfloat16 = precision == "bfloat16" or (precision == "auto" and computes_in_bfloat16())
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if in_bfloat16 else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_seeds(settings: TrainingSettings) -> None:
    """Of Python, NumPy, TensorFlow and Keras; with `training.deterministic`, for every operation of this process."""
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()


def computes_in_bfloat16() -> bool:
    """Whether it is faster here than float32."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
        return all(detail.get("compute_capability", (0, 0)) >= _CAPABILITY for detail in details)
    # A step of MiniLM on 2 cores of a Sapphire Rapids: 423 ms instead of 603 (32 x 24 tokens), 2.6 s instead of 3.5
    # (32 x 128); the eval loss after 40 steps: 0.2826, not 0.2828. Without AMX it was not measured.
    return "amx_bf16" in _processor_flags()


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def choose_strategy(settings: TrainingSettings) -> tf.distribute.Strategy:
    """The strategy of `training.strategy`; TensorFlow's default one, which does nothing, where nobody shares.

    Must be called before anything else of TensorFlow runs where TF_CONFIG names several workers: their collective
    operations must be set up first.

    Raises:
        Refused: TF_CONFIG is not what multi_worker needs, or it is too late for that.
    """
    workers = _workers()
    chosen = settings.strategy
    if chosen == "auto":
        several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
        chosen = "multi_worker" if workers > 1 else "mirrored" if several_gpus else "none"
    if chosen == "multi_worker":
        if not workers:
            raise Refused("training.strategy multi_worker: TF_CONFIG names no worker; set it, or choose auto")
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            # "Collective ops must be configured at program startup"
            raise Refused(
                "training.strategy multi_worker: TensorFlow is at work in this process already; run the Trainer in one "
                "of its own, as in a container"
            ) from error
    if chosen == "mirrored":
        # One replica a device: the GPUs, or where there is none, the logical CPUs.
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes what all workers have made."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (
        resolver.task_type == "worker" and resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    )


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns when every worker has come here.

    A worker that ends while the chief still exports is taken for one that died; and TFX asks each for the export.
    """
    if strategy.cluster_resolver is not None and strategy.num_replicas_in_sync > 1:
        here = tf.function(
            lambda: strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(())))
        )
        here()


def _workers() -> int:
    """How many processes TF_CONFIG names that train, 0 without one."""
    text = os.environ.get("TF_CONFIG", "").strip()
    try:
        config = json.loads(text or "{}")
        cluster = config.get("cluster", {})
        return len(cluster.get("chief", [])) + len(cluster.get("worker", []))
    except (ValueError, AttributeError, TypeError):
        raise Refused(f"TF_CONFIG is not what TensorFlow writes there: {text[:60]!r}; unset it, or mend it") from None
