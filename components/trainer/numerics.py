"""Numerics of a training: the precision of its arithmetic, its seeds and its determinism."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from components.trainer.settings import TrainingSettings

# Compute capability of the first GPU generation with bfloat16, Ampere.
_BFLOAT16_CAPABILITY = (8, 0)


@contextmanager
def use_precision(precision: str) -> Iterator[None]:
    """Build the layers that are created in this context for a precision.

    bfloat16 has the range of float32, so the loss needs no scaling. Variables are float32 in either case.

    Args:
        precision: `training.precision`: auto, float32 or bfloat16.
    """
    is_bfloat16 = precision == "bfloat16" or (precision == "auto" and is_bfloat16_faster())
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if is_bfloat16 else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def set_seeds(settings: TrainingSettings) -> None:
    """Seed Python, NumPy, TensorFlow and Keras; with `training.deterministic`, make all of TensorFlow deterministic."""
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()


def is_bfloat16_faster() -> bool:
    """Return whether bfloat16 is faster than float32 on this machine."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
        return all(detail.get("compute_capability", (0, 0)) >= _BFLOAT16_CAPABILITY for detail in details)
    # A training step of MiniLM on 2 cores of a Sapphire Rapids took 423 ms instead of 603 (32 x 24 tokens) and 2.6 s
    # instead of 3.5 (32 x 128), with an eval loss of 0.2826 instead of 0.2828 after 40 steps. Processors without AMX
    # were not measured.
    return "amx_bf16" in _processor_flags()


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
