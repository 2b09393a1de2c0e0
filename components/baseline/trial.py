"""Trial of a model: it is loaded and run on a few rows of the test split."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the operations of the exported models' tokenizer

_SIGNATURE, _SCORES = "evaluation", "decision_scores"
_ROWS = 8
_MOST_CHARACTERS = 200


def try_evaluation(model_dir: str, n_outputs: int, splits: Sequence[str]) -> str | None:
    """Load a model and evaluate it on a few examples.

    Args:
        model_dir: Folder of the SavedModel.
        n_outputs: Number of outputs according to the model's record.
        splits: Folders of the test split's examples, compressed TFRecord files.

    Returns:
        Why the model cannot be evaluated, in one line; None if it can.
    """
    try:
        model = tf.saved_model.load(model_dir)
    except Exception as error:  # whatever it is, this model cannot be evaluated
        return f"it cannot be loaded: {_first_line(error)}"
    if _SIGNATURE not in model.signatures:
        return f"it has no signature {_SIGNATURE!r}"
    rows = _read_rows(splits)
    try:
        outputs = model.signatures[_SIGNATURE](examples=tf.constant(rows, tf.string))
    except Exception as error:
        return f"it cannot be evaluated on the test split: {_first_line(error)}"
    return _check_outputs(outputs, len(rows), n_outputs)


def _read_rows(splits: Sequence[str]) -> list[bytes]:
    files = [file for split in splits for file in sorted(tf.io.gfile.glob(f"{split}/*"))]
    return list(islice(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator(), _ROWS))


def _check_outputs(outputs: dict[str, Any], n_rows: int, n_outputs: int) -> str | None:
    """Return what is wrong with the outputs of the signature; None if nothing is."""
    if _SCORES not in outputs:
        return f"its signature {_SIGNATURE!r} does not return {_SCORES!r}"
    scores = outputs[_SCORES].numpy()
    if scores.shape != (n_rows, n_outputs):
        return (
            f"it returns scores of shape {scores.shape} for {n_rows} texts and the {n_outputs} labels of its model.json"
        )
    return None if np.isfinite(scores).all() else "it returns scores that are not numbers"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:_MOST_CHARACTERS]
