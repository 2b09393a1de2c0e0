"""Slices of a summary with many labels: what is kept, and the table of all."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.catalogue import average_names, label_rate_names
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.report.summary.cut import (
    MOST_ENTRIES,
    MOST_SLICES,
    SLICES_FILE,
    cut_slices,
    describe_cut,
    write_slices,
)

_GATE = GateResult(
    gate="f1[label 999] in channel=9 >= 0.1", value=0.9, bound=0.1, passed=True, note="", label="label 999",
    slice="channel=9",
)  # fmt: skip


def _model(n_labels: int, micro_f1: float = 0.5) -> Metrics:
    """Return metrics of labels whose F1 rises with their number."""
    per_label = {
        f"label {number}": LabelMetrics(**dict.fromkeys(label_rate_names(), number / n_labels), support=number % 7)
        for number in range(n_labels)
    }
    averages = dict.fromkeys(average_names(), 0.5) | {"micro_f1": micro_f1}
    return Metrics(**averages, examples=3, per_label=per_label)


def _slices(n_slices: int, n_labels: int) -> dict[str, dict[str, Metrics]]:
    return {
        f"channel={number}": {name: _model(n_labels, 1 - number / n_slices) for name in ("candidate", "baseline")}
        for number in range(n_slices)
    }


def test_few_labels_are_kept_whole() -> None:
    slices = _slices(10, 28)
    kept = cut_slices(slices, [])
    assert kept == slices
    assert describe_cut(slices, kept) == ""


def test_of_many_labels_those_with_a_gate_and_the_worst_are_kept_in_every_slice() -> None:
    slices = _slices(10, 1_000)
    kept = cut_slices(slices, [_GATE])
    assert list(kept) == list(slices)
    assert sum(len(metrics.per_label) for models in kept.values() for metrics in models.values()) <= MOST_ENTRIES
    worst = kept["channel=3"]["candidate"].per_label
    assert list(worst) == [f"label {number}" for number in range(1_000) if number % 7][: len(worst)]
    assert set(kept["channel=3"]["baseline"].per_label) == set(worst)
    assert "label 999" in kept["channel=9"]["candidate"].per_label
    assert "label 999" not in worst
    assert kept["channel=3"]["candidate"].micro_f1 == slices["channel=3"]["candidate"].micro_f1
    assert describe_cut(slices, kept) == (
        "10 of 10 slices, with 3,000 of 20,000 metrics of labels in them: what has a gate, then the worst;"
        " slices.parquet has all"
    )


def test_of_many_slices_those_with_a_gate_and_the_worst_are_kept() -> None:
    slices = _slices(MOST_SLICES + 500, 2)
    kept = cut_slices(slices, [_GATE])
    assert len(kept) == MOST_SLICES
    assert "channel=9" in kept, "it has a gate"
    assert "channel=8" not in kept
    assert f"channel={MOST_SLICES + 499}" in kept, "it has the lowest micro F1"


def test_the_table_has_everything(tmp_path: Path) -> None:
    write_slices(str(tmp_path), _slices(2, 3))
    rows = pq.read_table(tmp_path / SLICES_FILE).to_pylist()
    assert len(rows) == 2 * 2 * (1 + 3)
    (average,) = (row for row in rows if (row["slice"], row["model"], row["label"]) == ("channel=1", "baseline", None))
    assert (average["micro_f1"], average["examples"], average["support"]) == (0.5, 3, None)
    last = rows[-1]
    assert (last["slice"], last["model"], last["label"]) == ("channel=1", "baseline", "label 2")
    assert last["f1"] == pytest.approx(2 / 3)
