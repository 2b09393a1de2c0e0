"""One step of training, alone or shared by replicas.

The gradient of an update is always that of the mean loss over all of the update's examples. Keras's own `Model.fit` is
not used: with several replicas it clips the gradient of each before they are summed and weights a replica with one
example like one with sixteen, and its `gradient_accumulation_steps` weight batches in the same way. Here each example
counts once, whichever batch and replica it is in.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.trainer.loop.parts import Parts

# Encoder inputs, labels, and the number of rows that count: all rows, or 0 for the row of a replica that got none.
Share = tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]

# XLA compiles for each length; the fewer lengths there are, the sooner it pays off.
_LENGTH_MULTIPLE = 32


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a model on a dataset.

    Attributes:
        loss: Mean loss over the examples.
        probabilities: float32 [n, n_labels].
        labels: float32 [n, n_labels], in the same order.
    """

    loss: float
    probabilities: NDArray[np.float32]
    labels: NDArray[np.float32]


class Steps:
    """Compiled functions of a training.

    Args:
        model: Model, compiled with its optimizer in the scope of the strategy.
        loss: Keras loss of labels and logits, a mean over examples.
        strategy: Strategy whose replicas share each batch.
        accumulate: Batches per update.
        xla: Whether to compile with XLA.
        eval_loss: Loss that the eval split is measured by; None if it is the same.
        parts: Division of batches whose gradient cannot be computed at once; None for none.

    Attributes:
        gradient_norm: Global norm of the last update's gradient before it was clipped, a tensor; None before the first.
    """

    def __init__(
        self,
        model: Any,
        loss: keras.losses.Loss,
        strategy: tf.distribute.Strategy,
        accumulate: int,
        *,
        xla: bool,
        eval_loss: keras.losses.Loss | None = None,
        parts: Parts | None = None,
    ) -> None:
        self._parts = parts
        self._model, self._loss, self._strategy = model, loss, strategy
        self._eval_loss = eval_loss or loss
        self.gradient_norm: tf.Tensor | None = None
        self._weights = list(model.trainable_variables)
        with strategy.scope():
            model.optimizer.build(self._weights)
            self._sums = [_per_replica_zeros(weight.shape) for weight in self._weights] if accumulate > 1 else []
            self._count = _per_replica_zeros(())
        self._accumulate = self._compile(self._accumulate_share, xla)
        self._update = self._compile(self._update_share, xla)
        self._evaluate = self._compile(self._evaluate_share, xla, n_gathered=3)

    def accumulate(self, shares: Any) -> tuple[float, float]:
        """Add the gradient of the next batch to that of the next update.

        Args:
            shares: Iterator over `share_batches`.

        Returns:
            Sum of the losses of the batch's examples, and their number.
        """
        return _to_floats(self._accumulate(shares))

    def update(self, shares: Any) -> tuple[float, float]:
        """Update the weights by the gradients of the next batch and of those accumulated.

        Args:
            shares: Iterator over `share_batches`.

        Returns:
            Sum of the losses of the batch's examples, and their number.
        """
        loss, examples, self.gradient_norm = self._update(shares)
        return float(loss), float(examples)

    def evaluate(self, shares: Any) -> Evaluation:
        """Predict all remaining examples, in their order.

        Args:
            shares: Iterator over `share_batches`.
        """
        loss = examples = 0.0
        predictions = []
        with contextlib.suppress(tf.errors.OutOfRangeError, StopIteration):
            while True:
                batch_loss, count, *rows = self._evaluate(shares)
                loss, examples = loss + float(batch_loss), examples + float(count)
                counts, probabilities, labels = (values.numpy() for values in rows)
                order = self._row_order(counts)
                predictions.append((probabilities[order], labels[order]))
        probabilities, labels = (np.concatenate(part) for part in zip(*predictions, strict=True))
        return Evaluation(loss / examples, probabilities, labels)

    def _row_order(self, counts: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the indices of the rows of a batch, in its order, among those gathered from all replicas.

        Args:
            counts: Gathered float32 [n], 0 for the row of a replica that got none.
        """
        rows, n_replicas = np.flatnonzero(counts > 0), self._strategy.num_replicas_in_sync
        # Replica r got the rows r, r + n_replicas and so on, see `_take_share`.
        dealt = np.concatenate([np.arange(replica, len(rows), n_replicas) for replica in range(n_replicas)])
        return rows[np.argsort(dealt)]

    def _compile(
        self, share_function: Callable[..., tuple[tf.Tensor, ...]], xla: bool, *, n_gathered: int = 0
    ) -> Callable[..., Any]:
        """Compile a function of a replica's share; its last results are gathered from the replicas, others summed."""
        replica_function = tf.function(share_function, jit_compile=True) if xla else share_function

        # The argument is the iterator and not its next value, for which every length would be traced again.
        def run(shares: Any) -> tuple[tf.Tensor, ...]:
            results = self._strategy.run(replica_function, args=next(shares))
            n_summed = len(results) - n_gathered
            rows = results[n_summed:]
            if self._strategy.num_replicas_in_sync > 1:
                rows = tuple(self._strategy.gather(values, axis=0) for values in rows)
            sums = (self._strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None) for value in results[:n_summed])
            return (*sums, *rows)

        return tf.function(run, reduce_retracing=True)  # type: ignore[no-any-return]

    def _accumulate_share(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradients = self._gradients(inputs, labels, count)
        for total, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(gradient)
        self._count.assign_add(count)
        return loss, count

    def _update_share(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if self._sums:
            loss, gradients = self._gradients_with_accumulated(inputs, labels, count)
        else:
            # Dividing the loss divides each gradient, without a pass over them.
            examples = _sum_over_replicas(count)
            loss, gradients = self._gradients(inputs, labels, count / examples)
            loss *= examples
        norm = self._model.optimizer.update(gradients, self._weights)
        return loss, count, norm / self._strategy.num_replicas_in_sync  # each replica has the same norm

    def _gradients_with_accumulated(
        self, inputs: Any, labels: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, list[Any]]:
        loss, gradients = self._gradients(inputs, labels, count)
        examples = _sum_over_replicas(count + self._count)
        means = [
            None if gradient is None else (gradient + total) / examples
            for gradient, total in zip(gradients, self._sums, strict=True)
        ]
        for total in [*self._sums, self._count]:
            total.assign(tf.zeros(total.shape))
        return loss, means

    def _gradients(self, inputs: Any, labels: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, list[Any]]:
        if self._parts is None:
            return self._gradients_at_once(inputs, labels, weight)
        shapes = [each.shape for each in self._weights]
        return self._parts.add_up(self._gradients_at_once, inputs, labels, weight, shapes)

    def _gradients_at_once(self, inputs: Any, labels: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, list[Any]]:
        with tf.GradientTape() as tape:
            loss = weight * self._mean_loss(self._loss, labels, self._model(inputs, training=True))
        gradients = tape.gradient(loss, [weight.value for weight in self._weights])
        return loss, [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]

    def _evaluate_share(self, inputs: Any, labels: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, ...]:
        logits = self._model(inputs, training=False)
        # 1 for each row, or 0 for the row of a replica that got none: truth values cannot be gathered.
        counts = tf.fill([tf.shape(labels)[0]], tf.minimum(count, 1.0))
        return count * self._mean_loss(self._eval_loss, labels, logits), count, counts, tf.sigmoid(logits), labels

    def _mean_loss(self, loss: keras.losses.Loss, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        # A Keras loss divides by the number of replicas, which is right for equal shares only.
        return tf.cast(loss(labels, logits), tf.float32) * self._strategy.num_replicas_in_sync


def share_batches(batches: tf.data.Dataset, strategy: tf.distribute.Strategy, max_length: int | None = None) -> Any:
    """Deal out the rows of each batch to the replicas, in shares that differ by one row at most.

    Every worker reads all batches and keeps its own rows, so that batches do not depend on the number of replicas:
    TensorFlow's own sharding would give each worker other files, and so batches of its own.

    Args:
        batches: Batches of (encoder inputs, labels).
        strategy: Strategy of the replicas.
        max_length: Pad lengths to multiples of 32, but not above this; None leaves them.

    Returns:
        Iterable of shares, for `Steps`.
    """
    if max_length is not None:
        batches = batches.map(lambda inputs, labels: (_pad(inputs, max_length), labels))
    n_replicas = strategy.num_replicas_in_sync
    if n_replicas == 1:
        return batches.map(lambda inputs, labels: (inputs, labels, tf.cast(tf.shape(labels)[0], tf.float32)))

    def shares_of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        n_local = n_replicas // context.num_input_pipelines
        first = context.input_pipeline_id * n_local

        # One replica after the other, in the order in which they ask for their next share.
        def local_shares(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.data.Dataset:
            replicas = tf.data.Dataset.range(first, first + n_local, output_type=tf.int32)
            return replicas.map(lambda replica: _take_share(inputs, labels, replica, n_replicas))

        return batches.flat_map(local_shares).prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(shares_of_worker)


def _take_share(inputs: dict[str, tf.Tensor], labels: tf.Tensor, replica: tf.Tensor, n_replicas: int) -> Share:
    rows = tf.range(replica, tf.shape(labels)[0], n_replicas)
    count = tf.cast(tf.size(rows), tf.float32)
    # A replica without rows computes one that does not count, because the mean over no rows is not a number.
    rows = tf.cond(count > 0, lambda: rows, lambda: tf.zeros([1], tf.int32))
    return tf.nest.map_structure(lambda values: tf.gather(values, rows), inputs), tf.gather(labels, rows), count


def _pad(inputs: dict[str, tf.Tensor], max_length: int) -> dict[str, tf.Tensor]:
    def pad(values: tf.Tensor) -> tf.Tensor:
        length = tf.shape(values)[1]
        missing = tf.minimum(-length % _LENGTH_MULTIPLE, max_length - length)
        return tf.pad(values, [[0, 0], [0, missing]])

    return {name: pad(values) for name, values in inputs.items()}


def _per_replica_zeros(shape: Any) -> tf.Variable:
    """Create a variable of zeros that has a separate value on each replica."""
    return tf.Variable(
        tf.zeros(shape),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


def _sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    # all_reduce needs a tensor with a device, which that of an iterator lacks; an identity has one.
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))


def _to_floats(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)
