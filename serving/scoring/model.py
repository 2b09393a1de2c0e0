"""The model that scores: which one it is, whether it is as it was pushed, and its probabilities.

Importing this module imports no TensorFlow; `TextModel` does when it is constructed.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.files import is_remote
from components.common.saved_model import read_signatures
from components.registry import ModelRecord, check_export, differences, find_model
from schema.errors import Refused
from serving.scoring.record import ScoredWith

_SIGNATURE = "serve_text"


def choose_model(model: str) -> ScoredWith:
    """Choose a model and check that its files are those that were pushed or exported.

    Args:
        model: Directory of a version, or a registry, which stands for its live version; a path or a gs:// address.

    Raises:
        Refused: There is no model, or its files are not as they were pushed.
    """
    model = model.rstrip("/") or model
    path = find_model(model)
    record = verified_record(path)
    name = path.rstrip("/").rpartition("/")[2]
    return ScoredWith(
        path=path if is_remote(path) else os.path.abspath(path),  # noqa: PTH100 - workers may run in another folder
        registry=None if path == model else model,
        version=int(name) if record.files and name.isascii() and name.isdigit() else None,
        model_id=record.model_id,
        labels=[label for label in record.outputs if label is not None],
        thresholds={
            label: threshold
            for label, threshold in zip(record.outputs, record.thresholds, strict=True)
            if label is not None
        },
    )


def verified_record(path: str) -> ModelRecord:
    """Read a model's record and compare every file of the model with its checksum.

    Raises:
        Refused: A file is missing, changed or new, or the record cannot be read.
    """
    record = ModelRecord.read(path)
    if not record.files:
        check_export(path, record)
    elif found := differences(path, record):
        raise Refused(f"{path}: {found[0]}; nothing is scored with it: restore the version, or roll back to another")
    return record


def check_signature(path: str, *, pair: bool) -> None:
    """Check that a model takes texts, or pairs of texts, by its `serve_text` signature, without loading it.

    Args:
        path: Directory of the SavedModel.
        pair: Whether rows have second texts.

    Raises:
        Refused: It does not.
    """
    signatures = read_signatures(path)
    if _SIGNATURE not in signatures:
        raise Refused(f"{path}: has no signature {_SIGNATURE}; this pipeline did not export it")
    takes_pairs = "text_pairs" in signatures[_SIGNATURE].inputs
    if takes_pairs and not pair:
        raise Refused(f"{path}: the model takes pairs of texts; name the second column as scoring.text_pair")
    if pair and not takes_pairs:
        raise Refused(f"{path}: the model takes single texts; leave scoring.text_pair out")


class TextModel:
    """Loaded model.

    Args:
        path: Directory of the SavedModel.
        threads: Cores that it may use; None: all, or what this process's TensorFlow was set to.

    Attributes:
        record: The model's record.
    """

    def __init__(self, path: str, threads: int | None = None) -> None:
        # TensorFlow turns oneDNN on by itself only for some processors.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        import tensorflow as tf
        import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.record = ModelRecord.read(path)
        self._tf = tf
        self._loaded: Any = tf.saved_model.load(path)  # its signatures do not keep its variables
        self._serve = self._loaded.signatures[_SIGNATURE]

    def signature(self, name: str) -> Any | None:
        """Return another signature; None if the model has none of this name."""
        return self._loaded.signatures.get(name)

    def probabilities(
        self,
        texts: Sequence[bytes],
        pairs: Sequence[bytes] | None,
        batch_size: int,
        show: Callable[[int], None] = lambda _: None,
    ) -> NDArray[np.float32]:
        """Compute the probabilities of texts.

        Texts of similar length go into one batch, so that little padding is computed.

        Args:
            texts: UTF-8 texts [n].
            pairs: Second texts [n]; None if the model takes single texts.
            batch_size: Number of texts of one call.
            show: Called after each call with the number of texts so far.

        Returns:
            float32 [n, n_labels], in the order of the texts.
        """
        found = np.zeros((len(texts), len(self.record.labels)), np.float32)
        lengths = [len(text) + (len(pairs[index]) if pairs else 0) for index, text in enumerate(texts)]
        by_length = np.argsort(lengths, kind="stable")
        for start in range(0, len(texts), batch_size):
            rows = by_length[start : start + batch_size]
            inputs = {"texts": self._column(texts, rows)}
            if pairs is not None:
                inputs["text_pairs"] = self._column(pairs, rows)
            found[rows] = self._serve(**inputs)["probabilities"].numpy()
            show(start + len(rows))
        return found

    def _column(self, values: Sequence[bytes], rows: NDArray[np.intp]) -> Any:
        return self._tf.constant([values[row] for row in rows], self._tf.string)
