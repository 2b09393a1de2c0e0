"""Checks of a model's answers: shapes, types, values, and labels that follow from them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.registry import ModelRecord

Array = NDArray[Any]
Outputs = Mapping[str, Array]

# Input and outputs by signature, without the second text and the segment ids that only models of pairs have.
SIGNATURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "serve_text": ("texts", ("probabilities", "labels")),
    "serving_default": ("examples", ("probabilities",)),
    "evaluation": ("examples", ("decision_scores",)),
    "transform_features": ("examples", ("labels_multi_hot", "token_ids")),
}


def faults(signature: str, outputs: Outputs, n_rows: int, record: ModelRecord) -> Iterator[str]:
    """Yield what is wrong with an answer, in words; nothing if it is right.

    Args:
        signature: Name of the signature that answered.
        outputs: Arrays by name; strings as bytes (dtype object).
        n_rows: Number of rows in the request.
        record: Record of the model.
    """
    if missing := [name for name in SIGNATURES[signature][1] if name not in outputs]:
        yield f"returns no {' and no '.join(missing)}"
        return
    checks = {
        "probabilities": _probability_faults,
        "decision_scores": _probability_faults,
        "labels_multi_hot": _multi_hot_faults,
        "token_ids": _token_faults,
        "segment_ids": _token_faults,
    }
    found = [
        f"{name} {fault}"
        for name, check in checks.items()
        if name in outputs
        for fault in check(outputs[name], n_rows, record)
    ]
    yield from found
    if "labels" in outputs and not found:
        yield from _label_faults(outputs["labels"], outputs["probabilities"], record)


def score_faults(scores: Array, probabilities: Array, record: ModelRecord) -> Iterator[str]:
    """Yield what is wrong with the decision scores of the `evaluation` signature.

    Args:
        scores: [n, n_labels], float32; above 0.5 where the label is given.
        probabilities: [n, n_labels], float32, of the same rows.
        record: Record of the model, with its thresholds.
    """
    given = probabilities > np.asarray(record.thresholds, np.float32)
    if scores.shape == given.shape and ((scores > 0.5) != given).any():
        row, column = np.argwhere((scores > 0.5) != given)[0]
        yield (
            f"decision_scores is {scores[row, column]:.6g} for label '{record.labels[column]}' in row {row}, whose "
            f"probability is {probabilities[row, column]:.6g} and threshold {record.thresholds[column]:.6g}"
        )


def _probability_faults(array: Array, n_rows: int, record: ModelRecord) -> Iterator[str]:
    if fault := _shape_fault(array, "float32", (n_rows, len(record.labels))):
        yield fault
        return
    # NaN compares as False.
    if len(outside := np.argwhere(~((array >= 0) & (array <= 1)))):
        row, column = outside[0]
        yield f"is {array[row, column]:.6g} for label '{record.labels[column]}' in row {row}, not from 0 to 1"
    retired = [column for column, label in enumerate(record.outputs) if label is None]
    if array[:, retired].any():
        yield "is above 0 for a retired label"


def _multi_hot_faults(array: Array, n_rows: int, record: ModelRecord) -> Iterator[str]:
    if fault := _shape_fault(array, "float32", (n_rows, len(record.labels))):
        yield fault
    elif not np.isin(array, (0, 1)).all():
        yield "has values besides 0 and 1"


def _token_faults(array: Array, n_rows: int, record: ModelRecord) -> Iterator[str]:  # noqa: ARG001
    if fault := _shape_fault(array, "int64", (n_rows, array.shape[-1] if array.ndim == 2 else -1)):
        yield fault
    elif (array < 0).any():
        yield "has negative numbers"


def _label_faults(labels: Array, probabilities: Array, record: ModelRecord) -> Iterator[str]:
    """Check that labels are those above their thresholds, most probable first, followed by empty strings."""
    if fault := _shape_fault(labels, "string", probabilities.shape):
        yield f"labels {fault}"
        return
    thresholds = np.asarray(record.thresholds, np.float32)
    names = [label.encode() for label in record.labels]
    for number, (found, row) in enumerate(zip(labels, probabilities, strict=True)):
        order = np.argsort(-row, kind="stable")
        expected = [names[column] for column in order if row[column] > thresholds[column]]
        if list(found) != expected + [b""] * (len(names) - len(expected)):
            yield (
                f"labels is {_listed(found)} in row {number}, where the labels above their thresholds are "
                f"{_listed(expected)}"
            )
            return


def _shape_fault(array: Array, dtype: str, shape: Sequence[int]) -> str:
    found = "string" if array.dtype == object else array.dtype.name
    if (found, array.shape) == (dtype, tuple(shape)):
        return ""
    return f"is {found} {list(array.shape)}, expected {dtype} {list(shape)}"


def _listed(labels: Sequence[bytes]) -> str:
    return "[" + ", ".join(label.decode(errors="replace") for label in labels if label) + "]"
