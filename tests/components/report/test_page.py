"""The report as a file: what it says, that it says it safely, and how large it gets."""

import re
from dataclasses import replace

import pytest

from components.evaluation.gates.result import GateResult
from components.evaluation.insights.insights import MATRIX_LABELS
from components.report.page import build_page
from components.report.summary import Summary, failed_summary
from components.report.views import decision
from components.report.views import run as view
from components.report.views.label import MOST_LABELS
from components.report.views.material import Material
from tests.components.report.made_up import material
from tests.components.report.reading import Page

HELD = GateResult(gate="macro_f1 >= 0.5", value=0.51, bound=0.5, passed=True, note="")
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


def test_the_verdict_comes_first_and_says_why() -> None:
    said = decision.verdict(material().summary)
    assert (said.word, said.headline) == ("bad", "Not blessed")
    assert said.why == (
        "2 of 5 gates that could be asked did not hold. 1 was not asked. The canary did not pass. "
        "The model that is live stays live."
    )
    page = Page(build_page(material()))
    assert page.text.index("Not blessed") < page.text.index("macro_f1 is 0.51, below the bound of 0.6")
    assert page.text.index("below the bound of 0.6") < page.text.index("What was asked of the model")


@pytest.mark.parametrize(
    ("changes", "word", "headline", "why"),
    [
        ({"blessed": True, "pushed": "/registry/1795436460", "reasons": [], "gates": [HELD], "canary": None}, "good",
         "Blessed and pushed", "The only gate held. It is version 1795436460 of the registry."),
        ({"blessed": True, "pushed": "/registry/17", "reasons": [], "gates": []}, "good",
         "Blessed and pushed", "No gate is configured: nothing was asked of the model."),
        ({"blessed": True, "pushed": "/registry/17", "reasons": [], "gates": [UNASKED],
          "gates_note": "no gate could be asked: nothing was asked of the model"}, "good",
         "Blessed and pushed", "No gate could be asked: nothing was asked of the model."),
        ({"blessed": True, "reasons": ["not pushed: it was rolled back"], "gates": [HELD]}, "bad",
         "Blessed, but not pushed", "The only gate held."),
        ({"reasons": ["canary: it died"], "gates": [HELD]}, "bad", "Not blessed", "held. The canary did not pass. The"),
        ({"baseline": None}, "bad", "Not blessed", "Nothing was pushed."),
    ],
)  # fmt: skip
def test_every_outcome_has_its_words(changes: dict[str, object], word: str, headline: str, why: str) -> None:
    made = material(**changes)  # type: ignore[arg-type]
    said = decision.verdict(made.summary)
    assert (said.word, said.headline) == (word, headline)
    assert why in said.why
    assert headline in Page(build_page(made)).text


def test_gates_that_were_not_asked_are_counted() -> None:
    for unasked in (UNASKED, UNASKED.model_copy(update={"asked": True})):  # as summaries of older runs have it
        said = decision.verdict(material(blessed=True, pushed="/r/1", gates=[HELD, HELD, unasked]).summary)
        assert said.why.startswith("All 2 gates that could be asked held. 1 was not asked.")


def test_no_gates_is_said_in_so_many_words() -> None:
    assert "nothing was asked of the model" in Page(build_page(material(gates=[]))).text


def test_a_run_that_was_stopped_has_a_report_too() -> None:
    stopped = Material(
        name="small", when=material().when, summary=failed_summary("rows.csv:3: unknown label 'x'", "refused"),
        texts=True, mistakes=5,
    )  # fmt: skip
    text = Page(build_page(stopped)).text
    assert "Stopped before a model was judged" in text
    assert "rows.csv:3: unknown label 'x'" in text
    assert "Confusions" not in text


def test_artifacts_that_are_gone_are_done_without() -> None:
    made = material()
    bare = Material(name=made.name, when=made.when, summary=made.summary, texts=True, mistakes=5)
    text = Page(build_page(bare)).text
    assert "left no insights.json" in text
    assert "Each label at its own threshold" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_text_holds_is_text(hostile: str) -> None:
    plain = Page(build_page(material(("a", "b", "c"))))
    source = build_page(material((hostile, f"{hostile} 2", "c"), text=hostile, id_=hostile))
    page = Page(source)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags], "not a tag more, nor less"
    for (_, mine), (_, theirs) in zip(page.tags, plain.tags, strict=True):
        assert mine.keys() == theirs.keys(), "nor an attribute"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", source), "controls are shown as pictures"
    visible = "".join(each if each.isprintable() else "" for each in hostile).split()[-1]
    assert visible in page.text


def test_a_policy_allows_the_own_script_only() -> None:
    source = build_page(material())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', source)
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_nothing_is_fetched() -> None:
    source = build_page(material())
    page = Page(source)
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not any({"src", "srcset"} & attributes.keys() for _, attributes in page.tags)
    hrefs = [attributes["href"] or "" for tag, attributes in page.tags if tag == "a"]
    assert hrefs
    assert all(href.startswith("#") for href in hrefs)
    assert not re.search(r"https?://|@import|url\(", source)


def test_without_texts_there_are_ids_only() -> None:
    made = material(text="secret words", texts=False)
    shown = Page(build_page(made)).text
    mistakes = shown[shown.rindex("Label by label") : shown.index("Calibration\n")]
    assert "secret words" not in mistakes
    assert re.search(r"row-\d+", mistakes)
    assert "Texts are left out" in mistakes
    with_texts = Page(build_page(material(text="secret words"))).text
    assert "secret words" in with_texts[with_texts.rindex("Label by label") : with_texts.index("Calibration\n")]


@pytest.mark.parametrize("most", [0, 2])
def test_as_many_mistakes_as_were_asked_for(most: int) -> None:
    made = material(mistakes=most)
    assert made.insights is not None
    there = [found for each in made.insights.mistakes.values() for found in (each.wrongly_given, each.missed)]
    page = Page(build_page(made))
    lists = [attributes for tag, attributes in page.tags if tag == "ol" and attributes.get("class") == "mistakes"]
    entries = len(re.findall(r"row-\d+ · right", page.text))
    assert len(lists) == len(there) == 6
    assert entries == sum(min(most, len(found)) for found in there)


def test_28_labels_and_5000_rows_stay_below_5_megabytes() -> None:
    made = material([f"label {number}" for number in range(28)], rows=5_000, text="long words " * 100,
                    mistakes=20)  # fmt: skip
    source = build_page(made)
    assert len(source.encode()) < 5_000_000
    assert Page(source).count("details") == 28 + len(("configuration", "plain", "typos"))


def test_hundreds_of_labels_get_a_table_but_not_all_a_page() -> None:
    labels = [f"label {number}" for number in range(MOST_LABELS + 5)]
    source = build_page(material(labels, rows=150))
    page = Page(source)
    assert len(source.encode()) < 5_000_000
    assert f"The {MOST_LABELS} commonest labels; 5 more" in page.text
    assert all(f">{label}<" in source for label in labels)
    assert not any(attributes.get("class") == "matrix" for _, attributes in page.tags), "a wall of numbers"
    assert len(labels) > MATRIX_LABELS


def test_averages_stand_beside_the_baselines() -> None:
    made = material()
    assert made.summary.metrics is not None
    more = {"weighted_f1": 0.7, "hamming_loss": 0.02, "label_ranking_average_precision": 0.8}
    metrics = made.summary.metrics.model_copy(update={**more, "intervals": {"weighted_f1": (0.65, 0.75)}})
    before = metrics.model_copy(update={"hamming_loss": 0.03})
    table = view.averages_table(made.summary.model_copy(update={"metrics": metrics, "baseline": before}))
    rows = {row[0].shown: row for row in table.rows}
    assert [cell.shown for cell in rows["weighted F1"]][1:5] == ["0.700", "0.650–0.750", "0.700", "+0.000"]
    assert rows["macro F1"][2].shown == "–", "there is an interval of what is gated only"
    assert rows["Hamming loss"][4].look == "up", "less of it is better"
    assert rows["label ranking average precision"][1].shown == "0.800"


def test_every_table_says_what_its_rows_and_columns_are() -> None:
    page = Page(build_page(material()))
    heads = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert set(heads) == {"col", "row"}
    assert page.count("caption") == page.count("table")
    assert page.count("title") == 1 + page.count("svg") - sum(
        tag == "svg" and attributes.get("aria-hidden") == "true" for tag, attributes in page.tags
    )


def test_a_gate_that_was_not_asked_is_neither_held_nor_failed() -> None:
    table = decision.gates_table(material().summary.gates)
    assert [row[1].shown for row in table.rows] == ["failed", "held", "not asked", "held", "failed", "held"]
    assert [row[1].look for row in table.rows][:3] == ["look down", "look up", "look"]
    assert 'class="unasked"' not in str(table.rows[0][4].shown)
    assert table.rows[2][-1].shown == "language=zh has 9 examples: not asked"


def test_intervals_stand_beside_what_was_asked() -> None:
    made = material().summary
    table = decision.gates_table(made.gates)
    assert [head.name for head in table.heads][5:] == ["value, 95 %", "change vs baseline, 95 %", "rows", "in words"]
    assert [cell.shown for cell in table.rows[1]][5:8] == ["0.350–0.450", "−0.050 to 0.020", "100"]
    assert [cell.shown for cell in table.rows[0]][5:8] == ["0.480–0.550", "–", "–"]
    (macro,) = (row for row in view.averages_table(made).rows if row[0].shown == "macro F1")
    assert [macro[2].shown, macro[5].shown] == ["0.480–0.550", "−0.010 to 0.070"]
    labels = view.labels_table(made)
    place = [head.name for head in labels.heads].index("F1, 95 %")
    assert [row[place].shown for row in labels.rows] == ["0.350–0.450", "–", "–"]


def test_a_gate_on_a_count_is_a_whole_number_without_a_bar() -> None:
    gate = HELD.model_copy(update={"gate": "false_positives[refund] <= 1200", "value": 0.0, "bound": 1200.0})
    (row,) = decision.gates_table([gate]).rows
    assert [cell.shown for cell in row[2:5]] == ["0", "1,200", ""]


def test_slices_that_never_gate_say_so() -> None:
    made = material()
    (table,), _ = view.slices_tables(made.summary)
    assert [row[0].look for row in table.rows] == ["", "never", ""]
    text = Page(build_page(made)).text
    assert "zh too few: never gates" in text
    assert "fewer than 50 examples (evaluation.min_support)" in text


def test_spans_that_were_left_out_are_named() -> None:
    assert "Spans left out, as not every input has files of them: 8, 9" in Page(build_page(material())).text


def test_a_summary_of_an_older_run_opens() -> None:
    new = {"canary", "gates_note", "min_support", "small_slices"}
    older = material().summary.model_dump(mode="json", exclude=new)
    for gate in older["gates"]:
        for name in ("asked", "lower_is_better", "label", "slice", "support", "interval", "change_interval"):
            del gate[name]
    for metrics in (older["metrics"], older["baseline"]):
        del metrics["intervals"], metrics["change_intervals"]
    del older["data"]["incomplete_spans"]
    made = replace(material(), summary=Summary.model_validate(older), behaviour=None)
    assert "2 of 5 gates that could be asked did not hold. 1 was not asked." in Page(build_page(made)).text
    assert {"canary", "behaviour"}.isdisjoint(
        attributes.get("id") for tag, attributes in Page(build_page(made)).tags if tag == "section"
    )
