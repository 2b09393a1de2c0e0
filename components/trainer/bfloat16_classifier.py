"""The served classifier with its matrices in bfloat16, for processors that multiply in it."""

from typing import Any

import tensorflow as tf

from components.trainer.serving_classifier import ServingClassifier


class BFloat16Classifier(ServingClassifier):
    """`ServingClassifier` that stores its matrices in bfloat16, half as large, and multiplies by them in it.

    What is added up or normalized stays float32: biases, residuals, LayerNorm and attention.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        for module in (self, *self.submodules):
            for name, value in list(vars(module).items()):
                if isinstance(value, tf.Variable) and value.shape.rank == 2 and name not in ("positions", "segments"):
                    stored = tf.cast(value, tf.bfloat16)
                    setattr(module, name, tf.Variable(stored, trainable=False, name=value.name.removesuffix(":0")))

    def embed(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Return word embeddings, float32 [n_tokens, width], of token ids, int [n_tokens]."""
        return tf.cast(super().embed(token_ids), tf.float32)
