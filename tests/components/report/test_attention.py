"""What a person should look at, even though the model passed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.registry import CalibrationRecord
from components.report.attention import find_attention, headline, read_eval_positives, with_attention
from components.report.card import limitations
from components.report.page import build_page
from components.report.settings import AttentionSettings
from components.report.summary import Summary
from components.trainer.decisions.reliability import CalibrationReport
from tests.components.report.made_up import material
from tests.components.report.reading import Page

_LABELS = ("good", "weak", "worse", "untested")


def blessed(**changes: Any) -> Summary:
    """Return the summary of a blessed model whose labels are all good, but for `changes` of their metrics."""
    summary = material(_LABELS, pushed="/registry/1", blessed=True, small_slices={}).summary
    assert summary.metrics is not None
    assert summary.baseline is not None
    per_label = {
        label: summary.metrics.per_label[label].model_copy(update={"f1": 0.8, "support": 50} | changes.get(label, {}))
        for label in _LABELS
    }
    before = {label: per_label[label].model_copy(update={"f1": 0.8}) for label in _LABELS[:-1]}
    metrics = summary.metrics.model_copy(update={"per_label": per_label, "micro_f1": changes.get("micro_f1", 0.62)})
    baseline = summary.baseline.model_copy(update={"per_label": before})
    return summary.model_copy(update={"metrics": metrics, "baseline": baseline})


def lines(summary: Summary, positives: dict[str, int] | None = None, **settings: Any) -> list[str]:
    """Return the lines of the findings."""
    found = find_attention(summary, positives or {}, AttentionSettings(**settings))
    return [finding.line for finding in found]


def test_nothing_needs_attention_where_all_is_good() -> None:
    assert lines(blessed(), dict.fromkeys(_LABELS, 100)) == []


def test_names_weak_labels_worst_first() -> None:
    summary = blessed(weak={"f1": 0.29}, worse={"f1": None}, untested={"support": 0, "f1": 0.0})
    assert lines(summary, {"good": 9, "weak": 3}) == [
        "F1 below 0.3: worse (0.000), weak (0.290)",
        "F1 more than 0.1 below the baseline's: worse (-0.800), weak (-0.510)",
        "no example in the test split, so nothing is known: untested",
        "threshold chosen from fewer than 10 examples of the eval split: weak (3), good (9)",
    ]
    assert lines(summary, {"good": 9}, f1=0.0, f1_drop=1.0, eval_positives=0) == [
        "no example in the test split, so nothing is known: untested"
    ]


def test_names_slices_that_fall_behind_unless_they_are_small() -> None:
    expected = "language=en falls behind: micro F1 0.620 on 100 examples, 0.900 overall"
    assert expected in lines(blessed(micro_f1=0.9))
    assert expected not in lines(blessed(micro_f1=0.9).model_copy(update={"small_slices": {"language=en": 100}}))
    assert lines(blessed(micro_f1=0.9), slice_drop=0.3) == []
    assert limitations(blessed(micro_f1=0.9), 0.1)[-1] == f"{lines(blessed(micro_f1=0.9))[-1]}.", "as in the card"


def test_names_calibration_that_is_off() -> None:
    calibration = CalibrationRecord(method="platt", error_before=0.2, error_after=0.08)
    summary = blessed().model_copy(update={"calibration": calibration})
    assert lines(summary) == ["probabilities are off: expected calibration error 0.080, above 0.05"]


def test_says_nothing_of_a_run_without_a_model() -> None:
    assert lines(blessed().model_copy(update={"metrics": None})) == []


def test_counts_each_label_once_and_names_at_most_ten() -> None:
    labels = [f"label {number}" for number in range(12)]
    summary = material(labels).summary
    assert summary.metrics is not None
    weak = {label: each.model_copy(update={"f1": 0.0}) for label, each in summary.metrics.per_label.items()}
    metrics = summary.metrics.model_copy(update={"per_label": weak})
    found = with_attention(summary.model_copy(update={"metrics": metrics}), {"label 0": 1}, AttentionSettings())
    assert sorted(found.attention_labels) == sorted(labels)
    assert found.attention[0].endswith("label 9 (0.000) and 2 more")
    assert headline(len(found.attention_labels), len(found.attention)) == "12 labels need attention"


def test_stands_at_the_head_of_the_report() -> None:
    summary = with_attention(blessed(weak={"f1": 0.1}), {}, AttentionSettings())
    page = Page(build_page(replace(material(_LABELS), summary=summary)))
    assert "1 label needs attention" in page.text
    assert page.text.index("Blessed and pushed") < page.text.index("F1 below 0.3: weak (0.100)")
    assert page.text.index("F1 below 0.3: weak (0.100)") < page.text.index("All labels together")


@pytest.mark.parametrize("content", [None, "{}"])
def test_positives_of_the_eval_split_may_be_unknown(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / CalibrationReport.FILE).write_text(content, encoding="utf-8")
    assert read_eval_positives(str(tmp_path)) == {}
