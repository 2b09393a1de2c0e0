"""The report shows what each variant costs and gains, and why one was left out."""

from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.registry import CanaryFindings, Latency
from components.report.attention import find_attention
from components.report.page import build_page
from components.report.settings import AttentionSettings
from components.report.views.variants import variants_view
from components.variants.results import VariantResult, VariantResults
from tests.components.report.made_up import material
from tests.components.report.reading import Page

_LATENCY = Latency(request="one text", candidate_ms=2.5, baseline_ms=7.0, bound_ms=20.5)


def results() -> VariantResults:
    """Return an int8 variant that holds, and an onnx variant that does not."""
    full = material().summary.metrics
    assert full is not None
    per_label = {label: LabelMetrics(**each.model_dump()) for label, each in full.per_label.items()}
    worst = per_label["refund"].f1
    assert worst is not None
    per_label["refund"] = per_label["refund"].model_copy(update={"f1": worst - 0.02})
    metrics = Metrics(**full.model_dump() | {"per_label": per_label, "macro_f1": 0.507})
    return VariantResults(
        model_id="m",
        full_size_mb=94.2,
        variants=[
            VariantResult(name="int8", size_mb=24.3, metrics=metrics, canary=CanaryFindings(latency=[_LATENCY])),
            VariantResult(name="onnx", reasons=["macro_f1 is 0.1: below the bound of 0.5", "canary: <b> & more"]),
        ],
    )


def test_shows_costs_and_gains_beside_the_full_model() -> None:
    view = variants_view(material(variants=results()).summary)
    assert view is not None
    full, int8, onnx = ([cell.shown for cell in row] for row in view.costs.rows)
    assert full == ["full", "", "0.510", "", "", "", "94.2", "7.0"]
    assert int8 == ["int8", "passed", "0.507", "−0.003", "refund", "−0.020", "24.3", "2.5"]
    assert onnx == ["onnx", "failed", "–", "–", "–", "–", "–", "–"]
    assert view.labels is not None
    changes = {row[0].shown: row[-1].shown for row in view.labels.rows}
    assert changes["refund"] == "−0.020"


def test_a_variant_that_is_left_out_is_a_finding_and_on_the_page() -> None:
    run = material(variants=results())
    lines = [finding.line for finding in find_attention(run.summary, {}, AttentionSettings())]
    assert "variant onnx is left out: macro_f1 is 0.1: below the bound of 0.5, and 1 more" in lines
    page = Page(build_page(run))
    assert "canary: <b> & more" in page.text
    assert variants_view(material().summary) is None


def test_says_why_there_are_none() -> None:
    found = VariantResults(note="none was made: the model was not blessed")
    assert "none was made: the model was not blessed" in Page(build_page(material(variants=found))).text
