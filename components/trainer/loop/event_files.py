"""TensorBoard's event files: what a training writes for people to look at, and reading the numbers back.

    <log_dir>/             hyper-parameters (HParams) and texts of the eval split with their predictions
    <log_dir>/train/       batch_loss, learning_rate and gradient_norm by batch; epoch_loss by epoch
    <log_dir>/validation/  epoch_loss, epoch_macro_f1 and f1/<label> by epoch

They are written with TensorBoard's own writer: Keras's callback drops the values of epochs that `update_freq` does not
happen to record, and an eager TensorFlow operation a value takes longer. Reading needs no TensorFlow.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.files import list_files, open_seekable
from components.example_gen.formats.framing import read_records

BATCH_LOSS, LEARNING_RATE, GRADIENT_NORM = "batch_loss", "learning_rate", "gradient_norm"
EPOCH_LOSS, MACRO_F1, LABEL_F1 = "epoch_loss", "epoch_macro_f1", "f1/"
TRAIN, VALIDATION = "train", "validation"

# What has a meaning in a cell of a table of Python-Markdown, which TensorBoard renders texts with, besides HTML.
_MARKS = re.compile(r"([\\`*_\[\]!|])")

HyperParameters = Mapping[str, str | int | float | bool]
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Samples:
    """Texts of the eval split whose predictions are shown after each epoch.

    Attributes:
        rows: Indices of their rows among the predictions on the eval split.
        texts: The texts, both of a pair joined.
    """

    rows: Sequence[int]
    texts: Sequence[str]


@dataclass(frozen=True)
class Notes:
    """What a training's event files say about it besides its numbers.

    Attributes:
        hyper_parameters: Settings and facts by which trainings are compared.
        samples: Texts whose predictions are shown; None for none.
    """

    hyper_parameters: HyperParameters = field(default_factory=dict)
    samples: Samples | None = None


class EventFiles:
    """Writer of a training's event files.

    Args:
        log_dir: Folder, local or remote.
    """

    def __init__(self, log_dir: str) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writers = {
            name: EventFileWriter(f"{log_dir}/{name}".rstrip("/"), max_queue_size=100)
            for name in ("", TRAIN, VALIDATION)
        }

    def write_start(self, hyper_parameters: HyperParameters) -> None:
        """Write the hyper-parameters, and by which numbers TensorBoard's HParams page compares trainings."""
        from tensorboard.plugins.hparams.summary_v2 import HParam, Metric, hparams_config_pb, hparams_pb

        metrics = [Metric(MACRO_F1, VALIDATION), Metric(EPOCH_LOSS, VALIDATION), Metric(EPOCH_LOSS, TRAIN)]
        self._add("", 0, hparams_config_pb([HParam(name) for name in hyper_parameters], metrics))
        self._add("", 0, hparams_pb(dict(hyper_parameters)))

    def write_scalars(self, split: str, step: int, values: Mapping[str, float]) -> None:
        """Write numbers of a step: a batch or an epoch, from 1.

        Args:
            split: TRAIN or VALIDATION.
            step: Number of the step.
            values: Values by tag.
        """
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        self._add(split, step, *(scalar_pb(tag, value) for tag, value in values.items()))

    def write_text(self, tag: str, step: int, markdown: str) -> None:
        """Write a text that TensorBoard renders as Markdown."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add("", step, text_pb(tag, markdown))

    def flush(self) -> None:
        """Write to disk what was added, so that it can be seen during the training."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _add(self, name: str, step: int, *summaries: Any) -> None:
        import time

        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step)
        for summary in summaries:
            event.summary.MergeFrom(summary)
        self._writers[name].add_event(event)


def read_scalars(folder: str) -> dict[str, Points]:
    """Read the numbers in the event files of one folder, up to the first damaged record of each file.

    Args:
        folder: Folder of the files, local or remote; others below it are not read.

    Returns:
        (step, value) pairs in the order of the steps, by tag.
    """
    found: dict[str, dict[int, float]] = {}
    for path in list_files(f"{folder}/events.out.tfevents.*"):
        for tag, step, value in _read_file(path):
            found.setdefault(tag, {})[step] = value
    return {tag: sorted(points.items()) for tag, points in found.items()}


def _read_file(path: str) -> Iterator[tuple[str, int, float]]:
    # TensorBoard's own copies of the protocol buffer and of its conversion, which do not import TensorFlow.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.util.tensor_util import make_ndarray

    with open_seekable(path) as stream:
        for record in read_records(stream):
            if not isinstance(record, bytes):
                return  # the training was killed while it wrote this record
            event = Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    yield value.tag, event.step, float(make_ndarray(value.tensor))


def samples_table(
    samples: Samples,
    labels: Sequence[str],
    actual: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    thresholds: NDArray[np.floating],
) -> str:
    r"""Return texts with their labels and what is predicted, as a Markdown table.

    Args:
        samples: Texts.
        labels: Label names.
        actual: [n, n_labels], 0 or 1, of all rows.
        probabilities: [n, n_labels], of all rows.
        thresholds: [n_labels].

    Example:
        >>> table = samples_table(Samples([1], ["a|b"]), ["x", "y"], np.eye(2), np.array([[0, 0], [0.7, 0.1]]),
        ...     np.array([0.5, 0.5]))
        >>> print(table.splitlines()[-1])
        | a\|b | y | x 0.70 |
    """
    rows = ["| text | labels | predicted |", "|---|---|---|"]
    for row, text in zip(samples.rows, samples.texts, strict=True):
        own = ", ".join(label for label, is_own in zip(labels, actual[row] > 0, strict=True) if is_own)
        above = np.flatnonzero(probabilities[row] > thresholds)
        best_first = above[np.argsort(-probabilities[row][above], kind="stable")]
        predicted = ", ".join(f"{labels[column]} {probabilities[row][column]:.2f}" for column in best_first)
        rows.append("| " + " | ".join(_escape(cell) for cell in (text, own, predicted)) + " |")
    return "\n".join(rows)


def _escape(cell: str) -> str:
    """Return a text that TensorBoard's Markdown shows as it is, in one line."""
    return _MARKS.sub(r"\\\1", " ".join(html.escape(cell, quote=False).split()))
