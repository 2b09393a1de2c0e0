"""One step of training, alone or shared: its gradient is always that of the mean loss over all the update's examples.

Keras's own `Model.fit` is not used. With several replicas it clips each one's gradient before they are summed, weighs a
replica with one example as one with sixteen, and its `gradient_accumulation_steps` weigh batches the same way; here
each example counts once, however it came to be where it is.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from components.trainer.cpu.encoder_layer import make_quick

# Encoder inputs, labels, and how many of the rows count: all, or none of the one row that stands for no row.
Share = tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]

# XLA compiles for each length; the fewer there are, the sooner it pays.
_LENGTH_MULTIPLE = 32


class Steps:
    """The compiled functions of a training.

    Args:
        model: Compiled with its optimizer, under the strategy.
        loss: The mean over examples, of labels and logits; Keras's, which divides by the replicas.
        strategy: Who shares each batch.
        accumulate: Batches per update.
        xla: Whether to compile with XLA.
    """

    def __init__(
        self, model: Any, loss: keras.losses.Loss, strategy: tf.distribute.Strategy, accumulate: int, *, xla: bool
    ) -> None:
        self._model, self._loss, self._strategy = model, loss, strategy
        self._weights = list(model.trainable_variables)
        if not xla:
            make_quick(model)
        with strategy.scope():
            model.optimizer.build(self._weights)
            self._sums = [_per_replica(weight.shape) for weight in self._weights] if accumulate > 1 else []
            self._count = _per_replica(())
        self._gather = self._compiled(self._gather_share, xla)
        self._update = self._compiled(self._update_share, xla)
        self._evaluate = self._compiled(self._evaluate_share, xla)

    def gather(self, shares: Any) -> tuple[float, float]:
        """Adds the next batch's gradient to the next update's; returns its loss, summed, and how many examples."""
        return _floats(self._gather(shares))

    def update(self, shares: Any) -> tuple[float, float]:
        """Updates the weights by the next batch's gradient and those gathered; returns as `gather`."""
        return _floats(self._update(shares))

    def evaluate(self, shares: Any) -> float:
        """The mean loss over all examples that are left."""
        loss = examples = 0.0
        with contextlib.suppress(tf.errors.OutOfRangeError, StopIteration):
            while True:
                of_batch = _floats(self._evaluate(shares))
                loss, examples = loss + of_batch[0], examples + of_batch[1]
        return loss / examples

    def _compiled(self, of_share: Callable[..., tuple[tf.Tensor, tf.Tensor]], xla: bool) -> Callable[..., Any]:
        run = tf.function(of_share, jit_compile=True) if xla else of_share

        # The iterator goes in, not what comes out of it: of that every length would be traced anew.
        def of_all(shares: Any) -> tuple[tf.Tensor, ...]:
            sums = self._strategy.run(run, args=next(shares))
            return tuple(self._strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None) for value in sums)

        return tf.function(of_all, reduce_retracing=True)  # type: ignore[no-any-return]

    def _gather_share(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradients = self._gradients(inputs, labels, count)
        for total, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(gradient)
        self._count.assign_add(count)
        return loss, count

    def _update_share(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self._sums:
            loss, gradients = self._with_gathered(inputs, labels, count)
        else:
            # Dividing the loss is dividing each gradient, without a pass over them.
            examples = _summed(count)
            loss, gradients = self._gradients(inputs, labels, count / examples)
            loss *= examples
        self._model.optimizer.apply_gradients(zip(gradients, self._weights, strict=True))
        return loss, count

    def _with_gathered(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, list[Any]]:
        loss, gradients = self._gradients(inputs, labels, count)
        examples = _summed(count + self._count)
        means = [
            None if gradient is None else (gradient + total) / examples
            for gradient, total in zip(gradients, self._sums, strict=True)
        ]
        for total in [*self._sums, self._count]:
            total.assign(tf.zeros(total.shape))
        return loss, means

    def _gradients(self, inputs: Any, labels: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, list[Any]]:
        with tf.GradientTape() as tape:
            loss = weight * self._mean_loss(inputs, labels, training=True)
        gradients = tape.gradient(loss, [weight.value for weight in self._weights])
        return loss, [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]

    def _evaluate_share(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return count * self._mean_loss(inputs, labels, training=False), count

    def _mean_loss(self, inputs: Any, labels: tf.Tensor, *, training: bool) -> tf.Tensor:
        loss = self._loss(labels, self._model(inputs, training=training))
        # A Keras loss divides by the replicas, for gradients that are summed over equal shares; these are not equal.
        return tf.cast(loss, tf.float32) * self._strategy.num_replicas_in_sync


def shared(batches: tf.data.Dataset, strategy: tf.distribute.Strategy, longest: int | None = None) -> Any:
    """Deals each batch's rows out to the replicas, in shares that differ by one row at most.

    Every worker reads all batches and keeps its own rows, so that a batch is the same one however many share it:
    TensorFlow's own sharding would give each worker other files, and so batches of its own.

    Args:
        batches: Of (encoder inputs, labels).
        strategy: Of the replicas.
        longest: Pad lengths to multiples of 32, but not above this; None leaves them.

    Returns:
        What `iter` makes an iterator of for `Steps`.
    """
    if longest is not None:
        batches = batches.map(lambda inputs, labels: (_padded(inputs, longest), labels))
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches.map(lambda inputs, labels: (inputs, labels, tf.cast(tf.shape(labels)[0], tf.float32)))

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here

        # A replica after the other, as they ask for their next share.
        def shares(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.data.Dataset:
            own = tf.data.Dataset.range(first, first + here, output_type=tf.int32)
            return own.map(lambda replica: _share(inputs, labels, replica, replicas))

        return batches.flat_map(shares).prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(of_worker)


def _share(inputs: dict[str, tf.Tensor], labels: tf.Tensor, replica: tf.Tensor, replicas: int) -> Share:
    rows = tf.range(replica, tf.shape(labels)[0], replicas)
    count = tf.cast(tf.size(rows), tf.float32)
    # A replica without a row computes one even so, which does not count: a mean over no row is not a number.
    rows = tf.cond(count > 0, lambda: rows, lambda: tf.zeros([1], tf.int32))
    return tf.nest.map_structure(lambda values: tf.gather(values, rows), inputs), tf.gather(labels, rows), count


def _padded(inputs: dict[str, tf.Tensor], longest: int) -> dict[str, tf.Tensor]:
    def padded(values: tf.Tensor) -> tf.Tensor:
        length = tf.shape(values)[1]
        missing = tf.minimum(-length % _LENGTH_MULTIPLE, longest - length)
        return tf.pad(values, [[0, 0], [0, missing]])

    return {name: padded(values) for name, values in inputs.items()}


def _per_replica(shape: Any) -> tf.Variable:
    """Zeros that each replica keeps to itself."""
    return tf.Variable(
        tf.zeros(shape),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


def _summed(value: tf.Tensor) -> tf.Tensor:
    """Over the replicas."""
    # The identity has a device, and all_reduce wants one; what comes out of an iterator has none.
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))


def _floats(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)
