"""BERT's optimizer: AdamW with warmup, linear decay and clipping, in as few passes over memory as TensorFlow allows."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from components.trainer.loop.plan import Plan
from components.trainer.loop.settings import LoopSettings

# A single decay takes about a millionth off each weight, yet reads and writes all of them: half of an update's memory
# traffic again. So the decay of eight updates is applied at once.
_UPDATES_PER_DECAY = 8
# The average of the weights takes as much, and changes as little. Until there are many updates, it is over fewer of
# them: after t, mainly over the last tenth.
_UPDATES_PER_AVERAGE = 8
_SLOW_START = 10.0


def build_optimizer(
    settings: LoopSettings, plan: Plan, rate_factors: Mapping[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """Build AdamW as BERT was trained with: warmup, linear decay to zero, clipping by global norm.

    Source: google-research/bert, optimization.py (epsilon 1e-6; no weight decay of LayerNorm and biases).

    Args:
        settings: Recipe.
        plan: Length of the training, at whose end the learning rate is 0.
        rate_factors: Learning rate factors from `components.trainer.loop.trainable.rate_factors`.

    Returns:
        The optimizer, not built yet.
    """
    span = settings.average_epochs * plan.updates_per_epoch
    optimizer = FusedAdamW(
        learning_rate=WarmupLinearDecay(settings.peak_learning_rate, settings.warmup, plan.updates),
        weight_decay=settings.weight_decay,
        epsilon=1e-6,
        global_clipnorm=settings.clip_norm,
        rate_factors=rate_factors,
        use_ema=span > 0,
        ema_momentum=math.exp(-1 / span) if span > 0 else 0.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@keras.saving.register_keras_serializable("bert_multilabel")
class FusedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """Keras's AdamW, with one fused TensorFlow kernel per variable instead of a dozen operations.

    The arithmetic is the same (Kingma and Ba, 2015, the form just before section 2.1; decay as in Loshchilov and
    Hutter, 2019). The difference is memory traffic: op by op, every term of the formula is a temporary of the
    variable's size, and a BERT has tens of millions of values, few of which have a gradient in a batch. Weight decay is
    applied every eighth update with eight times the rate, which is equal up to the square of a millionth.

    A variable may learn at `learning_rate` times a factor of its own; its weight decay has the same factor, as in
    ELECTRA's optimization.py. Without factors, nothing is computed for them.

    With `use_ema`, Keras's moving average of the weights is brought up to date at every eighth update too.

    With several replicas, gradients are clipped after they are summed: Keras would clip each replica's and sum those.

    Args:
        *args: Arguments of Keras's AdamW.
        rate_factors: Factors by variable path, 1 for variables that are missing.
        **kwargs: Keyword arguments of Keras's AdamW.
    """

    def __init__(self, *args: Any, rate_factors: Mapping[str, float] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._factor_of_path = dict(rate_factors or {})
        self._factors: list[float] = []
        self._norm: Any = None

    def update(self, gradients: list[Any], variables: list[Any]) -> tf.Tensor:
        """Update variables by their gradients.

        Returns:
            Global norm of the gradients, summed over the replicas, before they are clipped; float32.
        """
        self.apply_gradients(zip(gradients, variables, strict=True))
        return tf.cast(self._norm, tf.float32)

    def build(self, variables: Any) -> None:
        super().build(variables)
        if self._factor_of_path:
            self._factors = [self._factor_of_path.get(variable.path, 1.0) for variable in variables]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate_factors": dict(self._factor_of_path)}

    def _apply_weight_decay(self, variables: Any) -> None:
        """Do nothing: `update_step` applies the decay, because it knows each variable's learning rate."""

    def _clip_gradients(self, grads: Any) -> Any:
        # The gradient of an embedding has a row for each token: TensorFlow's norm would count a token that occurs
        # twice as two rows, and the update needs their sum in any case.
        dense = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in grads]
        summed = _sum_over_replicas(dense)
        self._norm = _global_norm(summed)
        return summed if self.global_clipnorm is None else _clip(summed, self._norm, self.global_clipnorm)

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        # Keras would sum the clipped gradients of the replicas here, which is not the clipped sum.
        return grads_and_vars

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        if isinstance(variable, keras.Variable):
            variable = variable.value
        if self._factors:
            learning_rate = learning_rate * self._factors[index]
        self._decay_weights(variable, learning_rate)
        self._update(gradient, variable, index, learning_rate)
        if self.use_ema:
            self._add_to_average(variable, self._model_variables_moving_average[index].value)

    def _update(self, gradient: Any, variable: Any, index: int, learning_rate: Any) -> None:
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

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        """Do nothing: `update_step` does it, on the replica that has the variable."""

    def averages(self) -> list[Any]:
        """Return the variables of the moving averages of the weights, in the order of the weights."""
        return list(self._model_variables_moving_average)

    def _add_to_average(self, variable: Any, average: Any) -> None:
        update = self.iterations.value + 1
        past = tf.cast(update, variable.dtype)
        kept = tf.minimum(tf.cast(self.ema_momentum, variable.dtype), past / (past + _SLOW_START))
        kept = tf.where(update == 1, tf.zeros_like(kept), kept**_UPDATES_PER_AVERAGE)
        is_due = tf.logical_or(update == 1, tf.equal(update % _UPDATES_PER_AVERAGE, 0))

        def add() -> None:
            average.assign_sub((1 - kept) * (average - variable))

        tf.cond(is_due, add, lambda: None)

    def _decay_weights(self, variable: Any, learning_rate: Any) -> None:
        if not self.weight_decay or not self._use_weight_decay(variable):
            return
        share = tf.cast(_UPDATES_PER_DECAY * self.weight_decay * learning_rate, variable.dtype)

        def decay() -> None:
            variable.assign_sub(variable * share)

        # In the middle of the eight updates, whose learning rate stands for all of theirs.
        is_due = tf.equal(self.iterations.value % _UPDATES_PER_DECAY, _UPDATES_PER_DECAY // 2)
        tf.cond(is_due, decay, lambda: None)


@keras.saving.register_keras_serializable("bert_multilabel")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Schedule that rises linearly from 0 to a peak and then falls linearly to 0.

    Args:
        peak: Highest learning rate.
        warmup: Share of the steps over which the learning rate rises.
        total_steps: Number of updates after which the learning rate is 0.
    """

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

    def at(self, step: int) -> float:
        """Compute the learning rate of an update, counted from 0, in a hundredth of the time that TensorFlow takes.

        Example:
            >>> WarmupLinearDecay(peak=1.0, warmup=0.2, total_steps=10).at(0)
            0.5
        """
        warmup_steps = max(1.0, self.warmup * self.total_steps)
        falling = (self.total_steps - step) / max(1.0, self.total_steps - warmup_steps)
        return self.peak * min(max(min((step + 1.0) / warmup_steps, falling), 0.0), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup": self.warmup, "total_steps": self.total_steps}


def _global_norm(gradients: list[Any]) -> tf.Tensor:
    """Compute the square root of the sum of all squares: l2_loss is half a sum, without a temporary for the squares."""
    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients if gradient is not None]))


def _clip(gradients: list[Any], norm: tf.Tensor, max_norm: float) -> list[Any]:
    """Clip as `tf.clip_by_global_norm`, but leave gradients within the norm untouched, without a copy."""
    present = [gradient for gradient in gradients if gradient is not None]
    scaled = iter(
        tf.cond(norm > max_norm, lambda: [gradient * (max_norm / norm) for gradient in present], lambda: present)
    )
    return [None if gradient is None else next(scaled) for gradient in gradients]


def _sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """Sum gradients over the replicas; with one, or outside of a replica's context, return them unchanged."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return gradients
    present = [gradient for gradient in gradients if gradient is not None]
    sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if gradient is None else next(sums) for gradient in gradients]
