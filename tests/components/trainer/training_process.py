"""A training in a process of its own: `python -m tests.components.trainer.training_process TASK`, a JSON object.

Strategies and determinism are set once per process, and a killed training needs a process to be killed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLES, BATCH_SIZE = 50, 8  # the last batch of an epoch has 2 examples


def start(folder: Path, bert: Path, name: str, **task: Any) -> "subprocess.Popen[str]":
    """Start a training that writes its weights to <name>.npz and its log to <name>.log.

    Args:
        folder: Folder of the output.
        bert: Checkpoint.
        name: Name of this training.
        **task: `training`, TrainingSettings; `dropout`, whether to keep dropout; `resume`, folder of the saved state;
            `slow`, seconds to wait before each batch; `cpus`, number of logical CPUs; `tf_config`, TF_CONFIG;
            `windows`, WindowSettings.
    """
    tf_config = task.pop("tf_config", None)
    task_json = json.dumps({"out": str(folder / name), "bert": str(bert), **task})
    environment = (
        os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | ({"TF_CONFIG": json.dumps(tf_config)} if tf_config else {})
    )
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.components.trainer.training_process", task_json],
            stdout=log, stderr=subprocess.STDOUT, text=True, env=environment, cwd=Path(__file__).parents[3],
        )  # fmt: skip


def examples(n_examples: int, *, shuffle: bool = True) -> Any:
    """Return a dataset of examples with two labels, which depend on the first two words.

    If it is shuffled, the order differs in every epoch.
    """
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


def disable_dropout(model: Any) -> None:
    """Set all dropout rates to 0; KerasHub ignores those of a Hugging Face folder and uses 0.1."""
    import keras

    for layer in (*model.layers, *model.backbone._flatten_layers()):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def train(task: dict[str, Any]) -> None:
    """Train as a task says and write the weights."""
    import tensorflow as tf

    if cpus := task.get("cpus"):
        device = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * cpus)

    import numpy as np

    from components.checkpoints.find import find_checkpoint, load_backbone
    from components.preprocessing.settings import WindowSettings
    from components.trainer.cpu import optimize_training_for_cpu
    from components.trainer.decisions.scores import Scorer
    from components.trainer.loop.distribution import choose_strategy, is_chief, wait_for_all
    from components.trainer.loop.event_files import Notes, Samples
    from components.trainer.loop.fit import fit
    from components.trainer.loop.losses import multi_hot_loss
    from components.trainer.loop.parts import Parts
    from components.trainer.loop.resume import TrainingState
    from components.trainer.model import build_classifier, plain_copy
    from components.trainer.numerics import set_seeds, use_precision
    from components.trainer.settings import TrainingSettings
    from components.trainer.windowed_classifier import WindowedClassifier

    settings = TrainingSettings.model_validate({"batch_size": BATCH_SIZE, "precision": "float32"} | task["training"])
    strategy = choose_strategy(settings)
    set_seeds(settings)
    with strategy.scope(), use_precision(settings.precision):
        model = build_classifier(load_backbone(find_checkpoint(task["bert"])), 2, dropout=0.1)
        if windows := task.get("windows"):
            model = WindowedClassifier(model, WindowSettings.model_validate(windows), settings.batch_size)
    if not task.get("dropout", True):
        disable_dropout(model)
    batches = examples(EXAMPLES).batch(settings.batch_size).map(_trim)
    if seconds := task.get("slow"):
        batches = _slow_down(batches, seconds)
    every = settings.checkpoint_every
    state = TrainingState(task["resume"], every, is_writer=is_chief(strategy)) if every else None
    evaluation = examples(EXAMPLES, shuffle=False).take(20).batch(16).map(_trim)
    with optimize_training_for_cpu(model, lambda: np.ones(model.backbone.vocabulary_size, bool)):
        fit(
            model, batches, evaluation, settings, EXAMPLES, task["out"], loss=multi_hot_loss(), state=state,
            parts=Parts(model.count, settings.batch_size) if windows else None,
            scorer=Scorer(["first", "second"]), notes=Notes(samples=Samples(range(20), list("abcdefghijklmnopqrst"))),
        )  # fmt: skip
    print(f"replicas {strategy.num_replicas_in_sync} chief {is_chief(strategy)}", flush=True)  # noqa: T201
    np.savez(task["out"] + ".npz", *plain_copy(model).get_weights())
    if state:
        state.delete()
    wait_for_all(strategy)


def _trim(inputs: Any, labels: Any) -> Any:
    """Drop the columns that are padding in every row of a batch, as the Trainer's batches have none."""
    import tensorflow as tf

    longest = tf.reduce_max(tf.reduce_sum(inputs["padding_mask"], axis=1))
    return {name: values[:, :longest] for name, values in inputs.items()}, labels


def _slow_down(batches: Any, seconds: float) -> Any:
    import time

    import tensorflow as tf

    def wait(values: Any) -> Any:
        time.sleep(seconds)
        return values

    return batches.map(
        lambda inputs, labels: (inputs, tf.ensure_shape(tf.numpy_function(wait, [labels], tf.float32), [None, 2]))
    )


if __name__ == "__main__":
    import logging

    logging.basicConfig(format="%(message)s")
    train(json.loads(sys.argv[1]))
