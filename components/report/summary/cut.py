"""Slices of a summary, cut to what somebody will look at; all of them are in a table beside it.

A slice has metrics of each label, so that 1,000 labels and ten slices would be 5 MB of JSON by themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from components.common.files import write_whole
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.values import Metrics

SLICES_FILE = "slices.parquet"

Slices = Mapping[str, Mapping[str, Metrics]]

# Of slices, and of metrics of one label in one slice and model: 3,000 of them are 1.5 MB.
MOST_SLICES, MOST_ENTRIES = 1_000, 3_000
_LEAST_LABELS = 3
_CANDIDATE = "candidate"


def cut_slices(slices: Slices, gates: Sequence[GateResult]) -> dict[str, dict[str, Metrics]]:
    """Return the slices that a summary has room for.

    They are all slices with all their labels, if there are no more than 3,000 metrics of labels in them. Otherwise
    slices that have a gate are kept before those with the lowest micro F1, and in each slice labels that have a gate
    there before those with the lowest F1.

    Args:
        slices: Slice -> model (`candidate`, `baseline`) -> metrics.
        gates: Results of the gates.
    """
    if len(slices) <= MOST_SLICES and _n_entries(slices) <= MOST_ENTRIES:
        return {name: dict(models) for name, models in slices.items()}
    gated = {gate.slice for gate in gates if gate.slice}
    ranked = sorted(slices, key=lambda name: (name not in gated, _or_one(slices[name][_CANDIDATE].micro_f1)))
    kept = set(ranked[:MOST_SLICES])
    n_models = max(len(models) for models in slices.values())
    most = max(_LEAST_LABELS, MOST_ENTRIES // (len(kept) * n_models))
    labels_of_gates = {(gate.slice, gate.label) for gate in gates if gate.slice and gate.label}
    return {
        name: _with_labels(models, _choose_labels(models[_CANDIDATE], most, {
            label for slice_, label in labels_of_gates if slice_ == name
        }))
        for name, models in slices.items()
        if name in kept
    }  # fmt: skip


def describe_cut(whole: Slices, kept: Slices) -> str:
    """Return what was cut, in one sentence; empty if nothing was."""
    n_whole, n_kept = _n_entries(whole), _n_entries(kept)
    if (len(whole), n_whole) == (len(kept), n_kept):
        return ""
    return (
        f"{len(kept):,} of {len(whole):,} slices, with {n_kept:,} of {n_whole:,} metrics of labels in them: what has a"
        f" gate, then the worst; {SLICES_FILE} has all"
    )


def write_slices(folder: str, slices: Slices) -> None:
    """Write all slices as a table: one row for each slice, model and label, and one for each slice and model.

    The label of the latter is null, and its columns are the averages.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for name, models in slices.items():
        for model, metrics in models.items():
            averages = {key: value for key, value in metrics.numbers().items() if not isinstance(value, dict)}
            rows.append({"slice": name, "model": model, "label": None, **averages})
            rows += [
                {"slice": name, "model": model, "label": label, **measured.numbers()}
                for label, measured in metrics.per_label.items()
            ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_whole(f"{folder}/{SLICES_FILE}", memoryview(sink.getvalue()))


def _n_entries(slices: Slices) -> int:
    return sum(len(metrics.per_label) for models in slices.values() for metrics in models.values())


def _choose_labels(candidate: Metrics, most: int, gated: set[str]) -> set[str]:
    labels = candidate.per_label
    ranked = sorted(
        labels, key=lambda label: (label not in gated, not labels[label].support, _or_one(labels[label].f1))
    )
    return set(ranked[: max(most, len(gated))])


def _with_labels(models: Mapping[str, Metrics], labels: set[str]) -> dict[str, Metrics]:
    return {
        model: metrics.model_copy(
            update={"per_label": {label: each for label, each in metrics.per_label.items() if label in labels}}
        )
        for model, metrics in models.items()
    }


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value
