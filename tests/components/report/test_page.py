"""Content, safety and size of report.html."""

import re
from dataclasses import replace

import pytest

from components.evaluation.gates.result import GateResult
from components.evaluation.insights.insights import MATRIX_LABELS
from components.explanation.segments import Segment
from components.report.page import build_page
from components.report.summary import Summary, failed_summary
from components.report.views import decision
from components.report.views.labels import MOST_SECTIONS, labels_table
from components.report.views.material import Material
from components.report.views.metrics import averages_table
from components.report.views.slices import slices_view
from components.suspects.suspects import Suspect, SuspectCount, Suspects
from components.trainer.tuning.trials import Trial, Trials
from tests.components.report.made_up import material
from tests.components.report.reading import Page

PASSED = GateResult(gate="macro_f1 >= 0.5", value=0.51, bound=0.5, passed=True, note="")
UNASKED = GateResult(gate="f1 in language=zh >= 0.5", value=None, bound=None, passed=True, note="few", asked=False)
HOSTILE = [
    "<script>window.pwned = 1</script>",
    "</style><script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "' onmouseover='window.pwned = 1",
    "{{ 7 * 7 }}{% raw %}",
    "</bdi></td></table><h1>Blessed and pushed</h1>",
    "&lt;b&gt; &amp;amp;",
    "\u202egnp.exe\u202c \u2067שלום",
    "NUL\x00 ESC\x1b[31m BEL\x07 \x9b C1",
    "\ud800 half a character",
    "]]> --> <!--",
]


def test_the_decision_comes_first_with_its_reasons() -> None:
    verdict = decision.verdict(material().summary)
    assert (verdict.css_class, verdict.headline) == ("bad", "Not blessed")
    assert verdict.why == ("2 gates failed, 3 passed, 1 was not asked. The canary failed. The live model stays live.")
    page = Page(build_page(material()))
    assert page.text.index("Not blessed") < page.text.index("macro_f1 is 0.51, below the bound of 0.6")
    assert page.text.index("below the bound of 0.6") < page.text.index("Gates")


@pytest.mark.parametrize(
    ("changes", "css_class", "headline", "why"),
    [
        ({"blessed": True, "pushed": "/registry/1795436460", "reasons": [], "gates": [PASSED], "canary": None}, "good",
         "Blessed and pushed", "The only gate passed. It is version 1795436460 of the registry."),
        ({"blessed": True, "pushed": "/registry/17", "reasons": [], "gates": []}, "good",
         "Blessed and pushed", "No gate is configured: nothing was asked of the model."),
        ({"blessed": True, "pushed": "/registry/17", "reasons": [], "gates": [UNASKED],
          "gates_note": "no gate could be asked: nothing was asked of the model"}, "good",
         "Blessed and pushed", "No gate could be asked: nothing was asked of the model."),
        ({"blessed": True, "reasons": ["not pushed: it was rolled back"], "gates": [PASSED]}, "bad",
         "Blessed, but not pushed", "The only gate passed."),
        ({"reasons": ["canary: it died"], "gates": [PASSED]}, "bad", "Not blessed", "passed. The canary failed. The"),
        ({"baseline": None}, "bad", "Not blessed", "Nothing was pushed."),
    ],
)  # fmt: skip
def test_each_outcome_has_its_headline(changes: dict[str, object], css_class: str, headline: str, why: str) -> None:
    run = material(**changes)  # type: ignore[arg-type]
    verdict = decision.verdict(run.summary)
    assert (verdict.css_class, verdict.headline) == (css_class, headline)
    assert why in verdict.why
    assert headline in Page(build_page(run)).text


def test_counts_gates_that_were_not_asked() -> None:
    for unasked in (UNASKED, UNASKED.model_copy(update={"asked": True})):  # as in summaries of older runs
        verdict = decision.verdict(material(blessed=True, pushed="/r/1", gates=[PASSED, PASSED, unasked]).summary)
        assert verdict.why.startswith("2 gates passed, 1 was not asked.")


def test_says_that_no_gate_is_configured() -> None:
    assert "nothing was asked of the model" in Page(build_page(material(gates=[]))).text


def test_reports_a_run_that_was_refused() -> None:
    stopped = Material(
        name="small", when=material().when, summary=failed_summary("rows.csv:3: unknown label 'x'", "refused"),
        texts=True, mistakes=5,
    )  # fmt: skip
    text = Page(build_page(stopped)).text
    assert "Refused before a model was judged" in text
    assert "rows.csv:3: unknown label 'x'" in text
    assert "Confusions" not in text


def test_reports_without_deleted_artifacts() -> None:
    run = material()
    bare = Material(name=run.name, when=run.when, summary=run.summary, texts=True, mistakes=5)
    text = Page(build_page(bare)).text
    assert "left no insights.json" in text
    assert "Each label at its own threshold" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_shows_hostile_texts_as_text(hostile: str) -> None:
    plain = Page(build_page(material(("a", "b", "c"))))
    source = build_page(material((hostile, f"{hostile} 2", "c"), text=hostile, id_=hostile))
    page = Page(source)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags], "no tag more or less"
    for (_, attributes), (_, expected) in zip(page.tags, plain.tags, strict=True):
        assert attributes.keys() == expected.keys(), "no attribute more or less"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", source), "controls are shown as pictures"
    visible = "".join(each if each.isprintable() else "" for each in hostile).split()[-1]
    assert visible in page.text


def test_the_content_security_policy_allows_only_the_own_script() -> None:
    source = build_page(material())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', source)
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_fetches_nothing() -> None:
    source = build_page(material())
    page = Page(source)
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not any({"src", "srcset"} & attributes.keys() for _, attributes in page.tags)
    hrefs = [attributes["href"] or "" for tag, attributes in page.tags if tag == "a"]
    assert hrefs
    assert all(href.startswith("#") for href in hrefs)
    assert not re.search(r"https?://|@import|url\(", source)


def test_shows_only_ids_without_texts() -> None:
    run = material(text="secret words", texts=False)
    shown = Page(build_page(run)).text
    mistakes = shown[shown.rindex("Label by label") : shown.index("Calibration\n")]
    assert "secret words" not in mistakes
    assert re.search(r"row-\d+", mistakes)
    assert "Texts are not shown" in mistakes
    with_texts = Page(build_page(material(text="secret words"))).text
    assert "secret words" in with_texts[with_texts.rindex("Label by label") : with_texts.index("Calibration\n")]


def test_words_of_explained_mistakes_are_marked() -> None:
    run = material()
    assert run.insights is not None
    refund = run.insights.mistakes["refund"]
    why = [
        Segment(text="quiet", adds=1.2, strength=5),
        Segment(text=" "),
        Segment(text="harbour", adds=-0.5, strength=-2),
    ]
    first = refund.wrongly_given[0].model_copy(update={"text": "quiet harbour", "why": why})
    mistakes = {"refund": refund.model_copy(update={"wrongly_given": [first]})}
    explained = replace(run, insights=run.insights.model_copy(update={"mistakes": mistakes}))
    source = build_page(explained)
    assert '<span class="adds5" title="+1.20">quiet</span> <span class="takes2" title="-0.50">harbour</span>' in source
    assert "the more it adds to the label" in source
    assert "the more it adds to the label" not in build_page(run)
    assert "quiet" not in build_page(replace(explained, texts=False))


@pytest.mark.parametrize("most", [0, 2])
def test_shows_the_configured_number_of_mistakes(most: int) -> None:
    run = material(mistakes=most)
    assert run.insights is not None
    expected = [found for each in run.insights.mistakes.values() for found in (each.wrongly_given, each.missed)]
    page = Page(build_page(run))
    lists = [attributes for tag, attributes in page.tags if tag == "ol" and attributes.get("class") == "mistakes"]
    entries = len(re.findall(r"row-\d+ · correct", page.text))
    assert len(lists) == len(expected) == 6
    assert entries == sum(min(most, len(found)) for found in expected)


def test_28_labels_and_5000_rows_stay_below_5_megabytes() -> None:
    run = material([f"label {number}" for number in range(28)], rows=5_000, text="long words " * 100,
                    mistakes=20)  # fmt: skip
    source = build_page(run)
    assert len(source.encode()) < 5_000_000
    assert Page(source).count("details") == 28 + len(("configuration", "plain", "typos"))


def test_only_the_most_frequent_of_many_labels_get_a_section() -> None:
    labels = [f"label {number}" for number in range(MOST_SECTIONS + 5)]
    source = build_page(material(labels, rows=2_000, text="long words " * 60, mistakes=20))
    page = Page(source)
    assert len(source.encode()) < 8_000_000
    assert f"The {MOST_SECTIONS} most frequent labels; 5 more" in page.text
    assert all(f">{label}<" in source for label in labels)
    assert not any(attributes.get("class") == "matrix" for _, attributes in page.tags), "it would be unreadable"
    assert len(labels) > MATRIX_LABELS


def test_a_thousand_labels_stay_below_5_megabytes() -> None:
    labels = [f"a label of some length {number}" for number in range(1_500)]
    run = material(labels, rows=500, text="long words " * 60, mistakes=20)
    source = build_page(run)
    assert len(source.encode()) < 5_000_000
    assert "1,000 of 1,500 labels at its own threshold" not in source, "those with a section are in the table too"
    assert re.search(r"1,\d\d\d of 1,500 labels at its own threshold", source)
    assert "The 100 most frequent labels; 1400 more" in Page(source).text


def test_shows_averages_beside_the_baseline() -> None:
    run = material()
    assert run.summary.metrics is not None
    more = {"weighted_f1": 0.7, "hamming_loss": 0.02, "label_ranking_average_precision": 0.8}
    metrics = run.summary.metrics.model_copy(update={**more, "intervals": {"weighted_f1": (0.65, 0.75)}})
    before = metrics.model_copy(update={"hamming_loss": 0.03})
    table = averages_table(run.summary.model_copy(update={"metrics": metrics, "baseline": before}))
    assert table is not None
    rows = {row[0].shown: row for row in table.rows}
    assert [cell.shown for cell in rows["weighted F1"]][1:5] == ["0.700", "0.650–0.750", "0.700", "+0.000"]
    assert rows["macro F1"][2].shown == "–", "only gated metrics have an interval"
    assert rows["Hamming loss"][4].css_class == "up", "lower is better"
    assert rows["label ranking average precision"][1].shown == "0.800"


def test_every_table_has_scopes_and_a_caption() -> None:
    page = Page(build_page(material()))
    heads = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert set(heads) == {"col", "row"}
    assert page.count("caption") == page.count("table")
    assert page.count("title") == 1 + page.count("svg") - sum(
        tag == "svg" and attributes.get("aria-hidden") == "true" for tag, attributes in page.tags
    )


def test_a_gate_that_was_not_asked_has_neither_passed_nor_failed() -> None:
    table = decision.gates_table(material().summary.gates)
    assert [row[1].shown for row in table.rows] == ["failed", "passed", "not asked", "passed", "failed", "passed"]
    assert [row[1].css_class for row in table.rows][:3] == ["status down", "status up", "status"]
    assert 'class="unasked"' not in str(table.rows[0][4].shown)
    assert table.rows[2][-1].shown == "language=zh has 9 examples: not asked"


def test_shows_intervals_beside_gated_metrics() -> None:
    summary = material().summary
    table = decision.gates_table(summary.gates)
    assert [head.name for head in table.heads][5:] == ["value, 95 %", "change vs baseline, 95 %", "rows", "details"]
    assert [cell.shown for cell in table.rows[1]][5:8] == ["0.350–0.450", "−0.050 to 0.020", "100"]
    assert [cell.shown for cell in table.rows[0]][5:8] == ["0.480–0.550", "–", "–"]
    averages, labels = averages_table(summary), labels_table(summary)
    assert averages is not None
    assert labels is not None
    (macro,) = (row for row in averages.rows if row[0].shown == "macro F1")
    assert [macro[2].shown, macro[5].shown] == ["0.480–0.550", "−0.010 to 0.070"]
    column = [head.name for head in labels.heads].index("F1, 95 %")
    assert {row[0].shown: row[column].shown for row in labels.rows} == {
        "billing": "0.350–0.450", "refund": "–", "shipping": "–",
    }  # fmt: skip


def test_shows_a_count_as_a_whole_number_without_a_bar() -> None:
    count = {"gate": "false_positives[refund] <= 1200", "value": 0.0, "bound": 1200.0, "is_count": True}
    gate = PASSED.model_copy(update=count)
    (row,) = decision.gates_table([gate]).rows
    assert [cell.shown for cell in row[2:5]] == ["0", "1,200", ""]


def test_gates_link_to_what_they_are_about() -> None:
    run = material()
    source = build_page(run)
    gates = source[source.index('id="gates-table"') : source.index('id="labels"')]
    links = re.findall(r'href="#([^"]+)"', gates)
    assert [link.partition("-")[0] for link in links] == ["metrics", "label", "slices", *["behaviour"] * 3]
    assert all(f'id="{link}"' in source for link in links)


def test_attention_comes_before_the_trend_and_the_gates() -> None:
    source = build_page(material())
    order = [source.index(part) for part in ("<h1>", 'class="attention"', "Macro F1 of the last runs", 'id="gates"')]
    assert order == sorted(order)


def test_marks_slices_that_are_not_gated() -> None:
    run = material()
    view = slices_view(run.summary)
    assert view is not None
    (table,) = view.tables
    assert [row[0].css_class for row in table.rows] == ["", "never", ""]
    text = Page(build_page(run)).text
    assert "zh too few: not gated" in text
    assert "fewer than 50 examples (evaluation.min_support)" in text


def test_names_spans_that_were_left_out() -> None:
    assert "Spans left out, because an input has no files for them: 8, 9" in Page(build_page(material())).text


def test_reads_the_summary_of_an_older_run() -> None:
    new = {"canary", "gates_note", "min_support", "small_slices"}
    older = material().summary.model_dump(mode="json", exclude=new)
    for gate in older["gates"]:
        for name in ("asked", "lower_is_better", "label", "slice", "support", "interval", "change_interval"):
            del gate[name]
    for metrics in (older["metrics"], older["baseline"]):
        del metrics["intervals"], metrics["change_intervals"]
    del older["data"]["incomplete_spans"]
    run = replace(material(), summary=Summary.model_validate(older), behaviour=None)
    assert "2 gates failed, 3 passed, 1 was not asked." in Page(build_page(run)).text
    assert {"canary", "behaviour"}.isdisjoint(
        attributes.get("id") for tag, attributes in Page(build_page(run)).tags if tag == "section"
    )


def test_a_search_for_hyperparameters_is_shown_with_its_trials_and_what_matters() -> None:
    trials = [
        Trial(values={"learning_rate": rate, "batch_size": 32}, score=0.5 + rate, share=share)
        for rate, share in ((3e-4, 1.0), (1e-4, 1 / 3), (2e-5, 1 / 3))
    ]
    found = Trials(trials=trials, importance={"learning_rate": 0.9, "batch_size": 0.1})
    page = Page(build_page(replace(material(), trials=found)))
    for part in (
        "3 trials, compared on the eval split",
        "trained with learning_rate 0.0003, batch_size 32",
        "1: learning_rate 2e-05 to 0.0003; 2: batch_size 32 to 32; 3: the objective",
        "0.900",
        "0.333",
    ):
        assert part in page.text
    assert "Search for hyperparameters" not in Page(build_page(material())).text


def test_suspects_are_shown_without_their_texts_if_texts_are_left_out() -> None:
    found = Suspects(
        examples=1_000, folds=5, found=2_345, labels={"refund": SuspectCount(given=90, wrongly_given=3, missing=1)},
        unjudged=["rare <b>"], file="suspects.csv",
        worst=[Suspect(id="row <i>", text="Where is <u>my</u> order?", label="refund", given=True, score=0.0123)],
    )  # fmt: skip
    page = Page(build_page(replace(material(), suspects=found)))
    for part in (
        "2,345 in 1,000 examples",
        "row <i>",
        "Where is <u>my</u> order?",
        "0.012",
        "rare <b>",
        "suspects.csv",
    ):
        assert part in page.text
    assert "Where is <u>my</u> order?" not in Page(build_page(replace(material(texts=False), suspects=found))).text
    assert "Suspects" not in Page(build_page(material())).text
    none = Suspects.none_searched(5, "the train split has 3 <examples>")
    assert (
        "Nothing was searched: the train split has 3 <examples>."
        in Page(build_page(replace(material(), suspects=none))).text
    )


def test_the_short_report_leaves_out_what_only_an_engineer_needs() -> None:
    labels = [f"label {number}" for number in range(40)]
    run = material(labels, gates=[PASSED] * 20, attention=[f"finding {number}" for number in range(20)])
    text = Page(build_page(run, short=True)).text
    for part in ("Not blessed", "finding 0", "and 14 more", "8 more gates", "26 more labels", "core-hours"):
        assert part in text
    for part in ("Confusions", "Label by label", "Whole configuration", "finding 9"):
        assert part not in text
    stopped = Page(build_page(replace(run, summary=failed_summary("the reason", "failed")), short=True)).text
    assert "the reason" in stopped
