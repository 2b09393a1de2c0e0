"""BERT's optimizer, in as few passes over memory as TensorFlow allows."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

# An update takes a share of some 1e-6 from each weight, which is next to nothing, and reads and writes all of them for
# it: half as much traffic again as the update itself. So eight shares are taken at once.
_UPDATES_A_DECAY = 8


@keras.saving.register_keras_serializable("bert_multilabel")
class FusedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """Keras's AdamW, each variable updated by TensorFlow's one fused kernel instead of a dozen operations.

    The arithmetic is the same (Kingma and Ba, 2015, the form just before section 2.1; decay as in Loshchilov and
    Hutter, 2019). The difference is memory traffic: op by op, every term of the formula is a temporary of the
    variable's size, and a BERT has tens of millions of values of which a batch's gradient touches few. Weight decay is
    applied every eighth update, eight times as much: to the square of a millionth the same.

    Some variables may learn at a rate of their own, `learning_rate` times a factor; weight decay follows it, as in
    ELECTRA's optimization.py. Without factors, nothing is computed for them.
    """

    def __init__(self, *args: Any, rate_factors: Mapping[str, float] | None = None, **kwargs: Any) -> None:
        """As Keras's AdamW; `rate_factors` maps variable paths to factors, 1 for those that are not in it."""
        super().__init__(*args, **kwargs)
        self._factor_of_path = dict(rate_factors or {})
        self._factors: list[float] = []

    def build(self, variables: Any) -> None:
        super().build(variables)
        if self._factor_of_path:
            self._factors = [self._factor_of_path.get(variable.path, 1.0) for variable in variables]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate_factors": dict(self._factor_of_path)}

    def _apply_weight_decay(self, variables: Any) -> None:
        """Nothing: `update_step` does it, which knows each variable's rate."""

    def _clip_gradients(self, grads: Any) -> Any:
        # An embedding's gradient comes as rows, one for each token: TensorFlow's norm of them would count a token that
        # occurs twice as two, and the update needs the sum in any case.
        dense = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in grads]
        summed = _summed_over_replicas(dense)
        return summed if self.global_clipnorm is None else _clipped(summed, self.global_clipnorm)

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        # Keras sums here, what each replica has clipped for itself: the sum of the clipped is not the clipped sum.
        return grads_and_vars

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        if isinstance(variable, keras.Variable):
            variable = variable.value
        if self._factors:
            learning_rate = learning_rate * self._factors[index]
        self._decay_weights(variable, learning_rate)
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

    def _decay_weights(self, variable: Any, learning_rate: Any) -> None:
        if not self.weight_decay or not self._use_weight_decay(variable):
            return
        share = tf.cast(_UPDATES_A_DECAY * self.weight_decay * learning_rate, variable.dtype)

        def decay() -> None:
            variable.assign_sub(variable * share)

        # In the middle of the eight, whose rates it stands for.
        due = tf.equal(self.iterations.value % _UPDATES_A_DECAY, _UPDATES_A_DECAY // 2)
        tf.cond(due, decay, lambda: None)


def _clipped(gradients: list[Any], most: float) -> list[Any]:
    """Scaled down to a global norm of `most`, as `tf.clip_by_global_norm`; what is within it is not touched at all."""
    present = [gradient for gradient in gradients if gradient is not None]
    # l2_loss is half the sum of squares, without a temporary for the squares.
    norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in present]))
    scaled = iter(tf.cond(norm > most, lambda: [gradient * (most / norm) for gradient in present], lambda: present))
    return [None if gradient is None else next(scaled) for gradient in gradients]


def _summed_over_replicas(gradients: list[Any]) -> list[Any]:
    """The gradients themselves where there is one replica, or none asks."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return gradients
    given = [gradient for gradient in gradients if gradient is not None]
    sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, given))
    return [None if gradient is None else next(sums) for gradient in gradients]


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
