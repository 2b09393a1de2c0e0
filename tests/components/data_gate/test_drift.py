"""Measure drift of the newest span with TFDV."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from tensorflow_metadata.proto.v0 import schema_pb2

from components.data_gate.drift import as_if_known, describe_drift, measure_drift, never_known, with_present_labels
from components.data_gate.executor import newly_implied
from components.data_gate.schema import complete_schema
from components.data_gate.settings import DataGateSettings, LabelDrift
from components.data_gate.verdict import Drift
from components.example_gen.parsing.row_parser import LabelledText
from components.example_gen.shards import serialize
from components.statistics_gen.options import statistics_options
from components.training_log.log import TrainingEntry
from components.training_log.statistics import newest_span_only
from schema.infer import infer_schema
from schema.label_list import LabelList

LABELS = ("joy", "fear")
GATE = DataGateSettings(label_drift=LabelDrift(bound=0.2), length_drift=0.3)


def statistics_of(folder: Path, rows: list[tuple[str, str, int]], *, by_span: bool, unknown: Sequence[str] = ()) -> Any:
    """Return the statistics of rows (text, label, span); a label of `unknown` makes its row unknown instead."""
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "rows")) as writer:
        for index, (text, label, span) in enumerate(rows):
            known = ([], [label]) if label in unknown else ([label], [])
            row = LabelledText(str(index), text, known[0], [], unknown=known[1])
            writer.write(serialize(row, [], span))
    options = statistics_options(len(LABELS), by_span=by_span)
    return tfdv.generate_statistics_from_tfrecord(str(folder / "rows"), stats_options=options)


def rows(joys: int, fears: int, length: int = 10, span: int = 1) -> list[tuple[str, str, int]]:
    return [("x" * (length + n % 5), "joy" if n < joys else "fear", span) for n in range(joys + fears)]


def schema() -> schema_pb2.Schema:
    return complete_schema(infer_schema(LABELS, []), GATE, spans=True)


def drift_between(before: Any, now: Any) -> dict[str, Drift]:
    return {each.feature: each for each in measure_drift(now, before, schema())}


def test_the_same_data_has_no_drift(tmp_path: Path) -> None:
    same = newest_span_only(statistics_of(tmp_path / "a", rows(60, 40), by_span=False), 1)
    found = drift_between(same, same)
    assert {name: drift.value for name, drift in found.items()} == {"labels": 0.0, "text_length": 0.0}


def test_measures_drift_of_labels_and_text_lengths(tmp_path: Path) -> None:
    before = newest_span_only(statistics_of(tmp_path / "a", rows(60, 40), by_span=False), 1)
    now = newest_span_only(statistics_of(tmp_path / "b", rows(30, 70, length=300), by_span=False), 1)
    found = drift_between(before, now)
    assert (found["labels"].measure, found["labels"].bound) == ("l_infinity", 0.2)
    assert found["labels"].value == pytest.approx(0.3)
    assert found["text_length"].measure == "jensen_shannon"
    assert found["text_length"].value == pytest.approx(1.0)  # no length in common
    assert describe_drift(list(found.values()), "span 7") == [
        "'labels' has drifted from span 7: l_infinity is 0.3, above the bound of 0.2 (data_gate.label_drift)",
        "'text_length' has drifted from span 7: jensen_shannon is 1, above the bound of 0.3 (data_gate.length_drift)",
    ]


def test_jensen_shannon_divergence_agrees_with_scipy(tmp_path: Path) -> None:
    before = newest_span_only(statistics_of(tmp_path / "a", rows(60, 40), by_span=False), 1)
    now = newest_span_only(statistics_of(tmp_path / "b", rows(30, 70), by_span=False), 1)
    gate = DataGateSettings(label_drift=LabelDrift(measure="jensen_shannon"))
    (found,) = (
        each
        for each in measure_drift(now, before, complete_schema(infer_schema(LABELS, []), gate, spans=True))
        if each.feature == "labels"
    )
    p: NDArray[np.float64] = np.array([0.6, 0.4])
    assert found.value == pytest.approx(jensenshannon(p, [0.3, 0.7], base=2) ** 2)


def test_measures_only_the_newest_of_several_spans(tmp_path: Path) -> None:
    several = statistics_of(tmp_path / "a", rows(90, 10, span=1) + rows(10, 90, span=2), by_span=True)
    before = newest_span_only(several, 1)
    assert newest_span_only(several, 2).datasets[0].num_examples == 100
    assert newest_span_only(several, None).datasets[0].num_examples == 200
    assert drift_between(before, newest_span_only(several, 2))["labels"].value == pytest.approx(0.8)


def test_bounds_of_the_curated_schema_override_the_configuration() -> None:
    curated = infer_schema(LABELS, [])
    labels = next(feature for feature in curated.feature if feature.name == "labels")
    labels.drift_comparator.infinity_norm.threshold = 0.5
    complete = {feature.name: feature for feature in complete_schema(curated, GATE, spans=False).feature}
    assert complete["labels"].drift_comparator.infinity_norm.threshold == 0.5
    assert complete["text_length"].drift_comparator.jensen_shannon_divergence.threshold == 0.3
    assert "span" not in complete
    assert "text_length" not in {feature.name for feature in curated.feature}


def test_a_renamed_or_retired_label_is_not_drift(tmp_path: Path) -> None:
    def statistics(name: str, *labels: str) -> Any:
        rows = [("x" * 10, labels[n % len(labels)], 1) for n in range(60)]
        return newest_span_only(statistics_of(tmp_path / name, rows, by_span=False), 1)

    before, now = statistics("a", "joy", "dread", "pride"), statistics("b", "joy", "fear")
    aliases, shared = {"dread": "fear"}, {"joy", "fear"}
    assert drift_between(before, now)["labels"].value > 0.3
    after = drift_between(with_present_labels(before, aliases, shared), with_present_labels(now, {}, shared))
    assert after["labels"].value == pytest.approx(0)


def test_a_label_that_fewer_rows_were_asked_for_has_not_drifted(tmp_path: Path) -> None:
    def statistics(name: str, joys: int, silent: int) -> Any:
        rows = [("x" * 10, label, 1) for label in ["joy"] * joys + ["fear"] * 40 + ["silence"] * silent]
        folder = tmp_path / name
        folder.mkdir()
        with tf.io.TFRecordWriter(str(folder / "rows")) as writer:
            for index, (text, label, span) in enumerate(rows):
                row = LabelledText(str(index), text, [label], [])
                if label == "silence":
                    row = LabelledText(str(index), text, [], [], unknown=["joy"])
                writer.write(serialize(row, [], span))
        options = statistics_options(len(LABELS), by_span=False)
        return newest_span_only(tfdv.generate_statistics_from_tfrecord(str(folder / "rows"), stats_options=options), 1)

    # Of the rows that know, 60 in 100 have joy, and 40 in 100 or 130 fear; in the second, 30 of 130 rows do not know.
    before, now = statistics("a", 60, 0), statistics("b", 60, 30)
    partial, whole = (drift_between(before, each)["labels"].value for each in (as_if_known(now), now))
    assert whole == pytest.approx(0.0)  # the shares among labels given hide that joy is rarer among all rows
    share = 60 * 130 / 100 / (60 * 130 / 100 + 40)
    assert partial == pytest.approx(abs(share - 0.6), abs=1e-6)
    assert as_if_known(before) is before
    assert never_known(now) == set()


def test_a_label_that_nobody_knows_any_more_takes_no_part_in_drift(tmp_path: Path) -> None:
    half = [("x" * 10, label, 1) for label in ("joy", "fear") * 30]
    before = newest_span_only(statistics_of(tmp_path / "a", half, by_span=False), 1)
    silent = [("x" * 10, "joy", 1)] * 60
    now = newest_span_only(statistics_of(tmp_path / "b", silent, by_span=False, unknown=["joy"]), 1)
    assert never_known(now) == {"joy"}
    assert never_known(before) == set()


def test_examples_without_the_optional_feature_follow_the_completed_schema(tmp_path: Path) -> None:
    complete = complete_schema(infer_schema(LABELS, []), GATE, spans=True, unknown=True)
    found = {feature.name: feature for feature in complete.feature}["unknown_labels"]
    assert tuple(found.string_domain.value) == LABELS
    for name, unknown, anomalies in (("a", (), []), ("b", ("joy",), []), ("c", ("hope",), ["unknown_labels"])):
        label = unknown[0] if unknown else "joy"
        rows = [("x" * 10, "fear", 1), ("x" * 11, label, 1)] * 20
        statistics = newest_span_only(statistics_of(tmp_path / name, rows, by_span=False, unknown=unknown), 1)
        features = [
            feature for feature in complete.feature if feature.name in ("labels", "unknown_labels", "text_length")
        ]
        schema = schema_pb2.Schema(feature=features, string_domain=complete.string_domain)
        validated = tfdv.validate_statistics(statistics, schema)
        ours = [each for each in validated.anomaly_info if each in ("labels", "unknown_labels")]
        assert ours == anomalies


def test_a_label_that_others_have_come_to_imply_is_not_compared() -> None:
    labels = LabelList(("animal", "dog", "pet"), aliases={"hound": "dog"}, implies={"dog": ("animal",)})
    entry = TrainingEntry(digest="", spans=[], labels={}, known=["animal", "hound", "pet"], rows=1)
    assert newly_implied(entry, labels) == {"animal"}
    same = entry.model_copy(update={"implies": {"hound": ["animal"]}})
    assert newly_implied(same, labels) == set()
    assert newly_implied(entry.model_copy(update={"implies": {"hound": ["pet"]}}), labels) == {"animal", "pet"}
