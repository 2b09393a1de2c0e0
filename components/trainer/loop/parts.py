"""Parts of a batch: the gradient of a batch whose examples are too long to be computed at once."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Inputs = dict[str, tf.Tensor]
# From inputs, labels and weight of some rows to their weighted mean loss and its gradients, some of which are None.
LossAndGradients = Callable[[Inputs, tf.Tensor, tf.Tensor], tuple[tf.Tensor, list[Any]]]


class Parts:
    """Division of batches into parts of a bounded size, whose gradients are computed one after the other.

    Rows stay whole, since the loss of a row needs all of its sequences. A part thus has at most `most` sequences, or
    those of a single row. The gradient is that of the whole batch, however it is divided.

    Args:
        count: Function from the inputs of a batch to the number of sequences of each row, int32 [n].
        most: Greatest number of sequences of a part, if they are not those of a single row.
    """

    def __init__(self, count: Callable[[Inputs], tf.Tensor], most: int) -> None:
        self._count, self._most = count, most

    def add_up(
        self,
        compute: LossAndGradients,
        inputs: Inputs,
        labels: tf.Tensor,
        weight: tf.Tensor,
        shapes: Sequence[tf.TensorShape],
    ) -> tuple[tf.Tensor, list[Any]]:
        """Compute the weighted mean loss of a batch and its gradients.

        Args:
            compute: Function that computes both of a part. Its loss must be a mean over rows.
            inputs: Inputs of the batch, each [n, ...].
            labels: float32 [n, n_labels].
            weight: Weight of the batch, a scalar.
            shapes: Shapes of the gradients.

        Returns:
            Weighted mean loss, and its gradients.
        """
        sizes, n_rows = self._count(inputs), tf.shape(labels)[0]

        def of_part(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, list[Any]]:
            end = self._end(sizes, start)
            share = tf.cast(end - start, tf.float32) / tf.cast(n_rows, tf.float32)
            rows = {name: values[start:end] for name, values in inputs.items()}
            loss, gradients = compute(rows, labels[start:end], weight * share)
            return end, loss, [
                None if gradient is None else tf.ensure_shape(gradient, shape)
                for gradient, shape in zip(gradients, shapes, strict=True)
            ]  # fmt: skip

        # The first part is computed outside of the loop: nothing is added up for a batch that has no other.
        first_end, first_loss, first = of_part(tf.constant(0))
        present = [index for index, gradient in enumerate(first) if gradient is not None]

        def add(start: tf.Tensor, loss: tf.Tensor, *totals: tf.Tensor) -> tuple[tf.Tensor, ...]:
            end, part_loss, gradients = of_part(start)
            sums = [total + gradients[index] for index, total in zip(present, totals, strict=True)]
            return end, loss + part_loss, *sums

        _, loss, *totals = tf.while_loop(
            lambda start, *_: start < n_rows,
            add,
            (first_end, first_loss, *(first[index] for index in present)),
            parallel_iterations=1,
        )
        summed = dict(zip(present, totals, strict=True))
        return loss, [summed.get(index) for index in range(len(first))]

    def _end(self, sizes: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        """Return the row after the last one of the part that begins at a row, int32."""
        fitting = tf.math.count_nonzero(tf.cumsum(sizes[start:]) <= self._most, dtype=tf.int32)
        return start + tf.maximum(fitting, 1)
