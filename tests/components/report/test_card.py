"""Content and escaping of model_card.md."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from components.report.card import build_card, limitations
from components.report.page import build_page
from tests.components.report.made_up import material
from tests.components.report.reading import Page
from tests.components.report.test_page import HOSTILE


def rendered(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def test_has_the_metrics_and_marks_what_a_person_must_add() -> None:
    card = build_card(material())
    for expected in ("Not blessed", "| macro F1 | 0.510 |", "| refund |", "**failed**: macro_f1 \\>= 0.6", "platt",
                     "**not asked**: f1 in language=zh", "95 % interval 0.480–0.550", "| typos | failed | 0.750 |",
                     "Spans left out", "**Failed**: the exported model", "812 MiB (4,096 allowed)"):  # fmt: skip
        assert expected in card
    assert card.count("To be filled in by the team") == 2


def test_derives_limitations_from_the_metrics() -> None:
    summary = material(("often", "rare")).summary
    assert summary.metrics is not None
    often, rare = summary.metrics.per_label.values()
    per_label = {
        "often": often.model_copy(update={"support": 100, "recall": 0.4}),
        "rare": rare.model_copy(update={"support": 4, "precision": 0.2}),
        "never": rare.model_copy(update={"support": 0, "precision": 0.0, "recall": 0.0}),
    }
    metrics = summary.metrics.model_copy(update={"per_label": per_label, "micro_f1": 0.9})
    found = limitations(summary.model_copy(update={"metrics": metrics}), 0.1)
    assert found[:4] == [
        "Fewer than 30 test rows, so that the metrics are uncertain: rare.",
        "No test row, so that nothing is known: never.",
        "Recall below 0.5: often.",
        "Precision below 0.5: rare.",
    ]
    assert "language=en falls behind: micro F1 0.620 on 100 examples, 0.900 overall." in found


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "a | b", "line\n\n# head", "[link](http://x)", "- item", "_it_", "`", "1. a"]
)
def test_escapes_hostile_texts(hostile: str) -> None:
    plain = rendered(build_card(material(("a", "b", "c"), text="plain")))
    card = rendered(build_card(material((hostile, f"{hostile} 2", "c"), text=hostile)))
    for tag in ("<h", "<li", "<tr", "<td", "<em", "<strong", "<code", "<a", "<script", "<img"):
        assert card.count(tag) == plain.count(tag), tag


@pytest.mark.parametrize("gone", [["data", "metrics"], ["metrics"], ["baseline"], ["rows", "data", "metrics"]])
def test_a_run_may_end_at_any_step(gone: list[str]) -> None:
    whole = material()
    run = replace(whole, summary=whole.summary.model_copy(update=dict.fromkeys(gone)))
    assert run.summary.reasons[0].split()[0] in build_card(run)
    assert run.summary.reasons[0] in Page(build_page(run)).text


def test_says_that_no_model_was_judged() -> None:
    card = build_card(material(metrics=None, blessed=False, reasons=["rows.csv:3: unknown label"]))
    assert "No model was judged." in card
    assert "rows.csv:3: unknown label" in card


def test_contains_no_text_of_the_data() -> None:
    assert "of the data" not in build_card(material(text="secret words"))
