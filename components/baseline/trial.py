"""Whether a model can still be evaluated: it is loaded and given a few rows of the test split."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - the exported models' tokenizer needs its operations

_SIGNATURE, _SCORES = "evaluation", "decision_scores"
_ROWS = 8
_MOST_CHARACTERS = 200


def why_not_evaluated(model_dir: str, n_outputs: int, splits: Sequence[str]) -> str | None:
    """Why a SavedModel cannot be measured on the examples, in one line; None if it can.

    Args:
        model_dir: the SavedModel.
        n_outputs: how many its record says that it has.
        splits: folders of the test split's examples, compressed TFRecord files.
    """
    try:
        model = tf.saved_model.load(model_dir)
    except Exception as error:  # whatever it is, this model cannot be evaluated
        return f"it cannot be loaded: {_first_line(error)}"
    if _SIGNATURE not in model.signatures:
        return f"it has no signature {_SIGNATURE!r}"
    rows = _first_rows(splits)
    try:
        answer = model.signatures[_SIGNATURE](examples=tf.constant(rows, tf.string))
    except Exception as error:
        return f"it cannot be evaluated on the test split: {_first_line(error)}"
    return _unlike(answer, len(rows), n_outputs)


def _first_rows(splits: Sequence[str]) -> list[bytes]:
    files = [file for split in splits for file in sorted(tf.io.gfile.glob(f"{split}/*"))]
    return list(islice(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator(), _ROWS))


def _unlike(answer: dict[str, Any], n_rows: int, n_outputs: int) -> str | None:
    """What is wrong with an answer."""
    if _SCORES not in answer:
        return f"its signature {_SIGNATURE!r} does not give {_SCORES!r}"
    scores = answer[_SCORES].numpy()
    if scores.shape != (n_rows, n_outputs):
        return (
            f"it gives scores of shape {scores.shape} for {n_rows} texts and the {n_outputs} labels of its model.json"
        )
    return None if np.isfinite(scores).all() else "it gives scores that are no numbers"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:_MOST_CHARACTERS]
