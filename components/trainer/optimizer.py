"""BERT's optimizer, in as few passes over memory as TensorFlow allows."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("bert_multilabel")
class FusedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """Keras's AdamW, each variable updated by TensorFlow's one fused kernel instead of a dozen operations.

    The arithmetic is the same (Kingma and Ba, 2015, the form just before section 2.1; decay as in Loshchilov and
    Hutter, 2019). The difference is memory traffic: op by op, every term of the formula is a temporary of the
    variable's size, and a BERT has tens of millions of values of which a batch's gradient touches few.
    """

    def _clip_gradients(self, grads: Any) -> Any:
        # An embedding's gradient comes as rows, one for each token: TensorFlow's norm of them would count a token that
        # occurs twice as two, and the update needs the sum in any case.
        dense = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in grads]
        return super()._clip_gradients(dense)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        if isinstance(variable, keras.Variable):
            variable = variable.value
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable("bert_multilabel")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Rises linearly from 0 to `peak` over the first `warmup` share of the steps, then falls linearly to 0."""

    def __init__(self, peak: float, warmup: float, total_steps: int) -> None:
        self.peak = peak
        self.warmup = warmup
        self.total_steps = total_steps

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        warmup_steps = max(1.0, self.warmup * self.total_steps)
        rising = (step + 1.0) / warmup_steps
        falling = (self.total_steps - step) / max(1.0, self.total_steps - warmup_steps)
        return self.peak * keras.ops.clip(keras.ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup": self.warmup, "total_steps": self.total_steps}
