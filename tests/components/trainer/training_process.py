"""A training in a process of its own: `python -m tests.components.trainer.training_process TASK`, a JSON object.

Strategies and determinism are decided once for a process, and a killed one cannot be asked.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLES, BATCH_SIZE = 50, 8  # the last batch of an epoch has 2


def start(folder: Path, bert: Path, name: str, **task: Any) -> "subprocess.Popen[str]":
    """Starts a training; its weights will be <name>.npz in the folder, its log <name>.log.

    Args:
        folder: Where to.
        bert: The checkpoint.
        name: Of this training.
        task: `training`, TrainingSettings; `resume`, a folder; `slow`, seconds that each batch takes; `cpus`, so many
            logical ones; `tf_config`.
    """
    tf_config = task.pop("tf_config", None)
    described = json.dumps({"out": str(folder / name), "bert": str(bert), **task})
    environment = (
        os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | ({"TF_CONFIG": json.dumps(tf_config)} if tf_config else {})
    )
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.components.trainer.training_process", described],
            stdout=log, stderr=subprocess.STDOUT, text=True, env=environment, cwd=Path(__file__).parents[3],
        )  # fmt: skip


def examples(n_examples: int, *, shuffle: bool = True) -> Any:
    """Examples in an order of each epoch's own, if shuffled; two labels, told by the first two words."""
    import numpy as np
    import tensorflow as tf

    from tests.support.tiny_bert import VOCABULARY

    rng = np.random.default_rng(0)
    ids = rng.integers(5, len(VOCABULARY), (n_examples, 12)).astype(np.int32)
    mask = (np.arange(12) < rng.integers(3, 13, (n_examples, 1))).astype(np.int32)
    labels = np.stack([ids[:, 1] % 2 == 0, ids[:, 2] % 2 == 0], axis=1).astype(np.float32)
    inputs = {"token_ids": ids * mask, "padding_mask": mask, "segment_ids": np.zeros_like(ids)}
    dataset = tf.data.Dataset.from_tensor_slices((inputs, labels))
    return dataset.shuffle(n_examples, seed=1) if shuffle else dataset


def without_dropout(model: Any) -> None:
    """KerasHub reads no rate from a Hugging Face folder: it is 0.1."""
    import keras

    for layer in (*model.layers, *model.backbone._flatten_layers()):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def train(task: dict[str, Any]) -> None:
    import tensorflow as tf

    if cpus := task.get("cpus"):
        device = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * cpus)
    import time

    import numpy as np

    from components.checkpoints.find import find_checkpoint, load_backbone
    from components.trainer.hardware import arithmetic, choose_strategy, is_chief, set_seeds, wait_for_all
    from components.trainer.loop.fit import fit
    from components.trainer.loop.losses import multi_hot_loss
    from components.trainer.loop.resume import Interruption
    from components.trainer.model import build_classifier, plain_copy
    from components.trainer.settings import TrainingSettings

    settings = TrainingSettings.model_validate({"batch_size": BATCH_SIZE, "precision": "float32"} | task["training"])
    strategy = choose_strategy(settings)
    set_seeds(settings)
    with strategy.scope(), arithmetic(settings.precision):
        model = build_classifier(load_backbone(find_checkpoint(task["bert"])), 2, dropout=0.1)
    if not task.get("dropout", True):
        without_dropout(model)
    batches = examples(EXAMPLES).batch(settings.batch_size)
    if slow := task.get("slow"):

        def wait(values: Any) -> Any:
            time.sleep(slow)
            return values

        batches = batches.map(
            lambda inputs, labels: (inputs, tf.ensure_shape(tf.numpy_function(wait, [labels], tf.float32), [None, 2]))
        )
    every = settings.checkpoint_every
    interruption = Interruption(task["resume"], every, writes=is_chief(strategy)) if every else None
    evaluation = examples(EXAMPLES, shuffle=False).take(20).batch(16)
    fit(model, batches, evaluation, settings, EXAMPLES, task["out"], loss=multi_hot_loss(), interruption=interruption)
    print(f"replicas {strategy.num_replicas_in_sync} chief {is_chief(strategy)}", flush=True)  # noqa: T201
    np.savez(task["out"] + ".npz", *plain_copy(model).get_weights())
    if interruption:
        interruption.forget()
    wait_for_all(strategy)


if __name__ == "__main__":
    import logging

    logging.basicConfig(format="%(message)s")
    train(json.loads(sys.argv[1]))
