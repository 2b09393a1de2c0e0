"""Peer of `benchmarks.train`: KerasHub's BERT as it is, trained by `fit` in batches that are padded to `max_tokens`.

It runs in this project's environment: `python -m benchmarks.training.keras_hub_fit JOB.json`, see
`benchmarks.training.pytorch`. Token ids are prepared beforehand, so that tokenization costs it nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from benchmarks.training.measure import Meter
from components.checkpoints.architecture import Architecture
from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
from components.trainer.loop.optimizer import WarmupLinearDecay


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that tells a meter of the batches. Keras logs the mean loss since the beginning of the epoch."""

    def __init__(self, meter: Meter, batch_size: int) -> None:
        super().__init__()
        self._meter, self._batch_size, self._total = meter, batch_size, 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        total = float((logs or {})["loss"]) * (batch + 1)
        self._meter.step(self._batch_size, total - self._total)
        self._total = total


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Train as a job says and return the measurements."""
    keras.utils.set_random_seed(job["seed"])
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    if job["precision"] == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    data = np.load(job["data"], allow_pickle=False)
    size, steps = job["batch_size"], min(job["steps"], len(data["lengths"]) // job["batch_size"])
    is_token = np.arange(job["max_tokens"]) < data["lengths"][:, None]
    ids = np.zeros(is_token.shape, np.int64)
    ids[is_token] = data["ids"]
    features = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": is_token}
    batches = tf.data.Dataset.from_tensor_slices((features, data["labels"])).shuffle(10_000, seed=job["seed"])
    classifier = keras_hub.models.BertTextClassifier(_backbone(job), num_classes=data["labels"].shape[1])
    schedule = WarmupLinearDecay(job["learning_rate"], 0.1, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01, epsilon=1e-6, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    classifier.compile(optimizer=optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=[])
    meter = Meter(job)
    train = batches.batch(size, drop_remainder=True).take(steps).prefetch(2)
    classifier.fit(train, epochs=1, verbose=0, callbacks=[_Progress(meter, size)])
    return meter.result()


def _backbone(job: dict[str, Any]) -> Any:
    """Return KerasHub's own encoder, with its approximate GELU, and the bundled weights unless the job is BERT-Base."""
    checkpoint = find_checkpoint(BUNDLED)
    architecture = checkpoint.architecture if job["model"] is not None else Architecture(**job["base_architecture"])
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=architecture.vocabulary_size,
        num_layers=architecture.layers,
        num_heads=architecture.heads,
        hidden_dim=architecture.hidden,
        intermediate_dim=architecture.intermediate,
        max_sequence_length=architecture.positions,
        num_segments=architecture.segments,
    )
    if job["model"] is not None:
        backbone.set_weights(load_backbone(checkpoint).get_weights())
    return backbone


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
