"""Tests of the page that shows two runs side by side."""

from dataclasses import replace

from components.report.page import build_comparison
from components.report.views.comparison import ComparedSection, compare
from components.report.views.material import Material
from tests.components.report.made_up import material
from tests.components.report.reading import Page


def pair() -> tuple[Material, Material]:
    """Return two runs: in the second, label `refund` is worse, a gate passes, and some mistakes are gone."""
    first, second = material(), material(blessed=True, pushed="/r/17", reasons=[])
    assert second.summary.metrics is not None
    assert second.insights is not None
    per_label = dict(second.summary.metrics.per_label)
    per_label["refund"] = per_label["refund"].model_copy(update={"f1": 0.1})
    metrics = second.summary.metrics.model_copy(update={"per_label": per_label, "macro_f1": 0.61})
    gates = [second.summary.gates[0].model_copy(update={"passed": True, "value": 0.61}), *second.summary.gates[1:]]
    mistakes = dict(second.insights.mistakes)
    billing = mistakes["billing"]
    mistakes["billing"] = billing.model_copy(
        update={"missed": billing.missed[2:], "false_negatives": len(billing.missed) - 2}
    )
    return first, replace(
        second,
        summary=second.summary.model_copy(update={"metrics": metrics, "gates": gates}),
        configuration="name: Where is my order?\nmax_tokens: 64\ntraining:\n  epochs: 3\n",
        insights=second.insights.model_copy(update={"mistakes": mistakes}),
    )


def rows(sections: tuple[ComparedSection, ...], name: str) -> dict[str, list[str]]:
    (section,) = (each for each in sections if each.name == name)
    return {str(row[0].shown): [str(cell.shown) for cell in row[1:]] for row in section.tables[0].rows}


def test_compares_metrics_gates_labels_slices_and_configuration() -> None:
    sections = tuple(compare(*pair()).sections)
    assert rows(sections, "metrics")["macro F1"] == ["0.510", "0.610", "+0.100"]
    assert rows(sections, "gates")["macro_f1 >= 0.6"] == ["failed", "0.510", "passed", "0.610"]
    labels = rows(sections, "labels")
    assert next(iter(labels)) == "refund", "the label that lost most comes first"
    assert labels["billing"][2] == "+0.000"
    assert rows(sections, "slices")["language=zh"] == ["0.620", "0.620", "+0.000", "9", "9"]
    assert rows(sections, "configuration") == {"max_tokens": ["128", "64"], "training.epochs": ["–", "3"]}


def test_shows_examples_that_only_one_run_decides_wrongly() -> None:
    first, second = pair()
    assert first.insights is not None
    (found,) = compare(first, second).examples
    assert (found.label, found.kind) == ("billing", "missed")
    assert list(found.first) == first.insights.mistakes["billing"].missed[:2]
    assert (list(found.second), found.first_may_be_shared) == ([], False), "the second run keeps all of its mistakes"


def test_says_where_a_run_keeps_only_some_of_its_mistakes() -> None:
    first, second = pair()
    assert second.insights is not None
    mistakes = {
        label: each.model_copy(update={"false_negatives": 500}) for label, each in second.insights.mistakes.items()
    }
    more = replace(second, insights=second.insights.model_copy(update={"mistakes": mistakes}))
    assert compare(first, more).examples[0].first_may_be_shared
    assert "the second has more than it keeps" in Page(build_comparison(first, more)).text


def test_says_whether_the_data_is_the_same() -> None:
    first, second = pair()
    assert first.ingest is not None
    assert second.ingest is not None
    assert compare(first, second).data_note == "Whether both runs read the same data is not known."
    same = [replace(run, ingest=run.ingest.model_copy(update={"digest": "a"})) for run in (first, second) if run.ingest]
    assert compare(*same).data_note == "Both runs read the same data."
    other = replace(second, ingest=second.ingest.model_copy(update={"digest": "b"}))
    assert compare(same[0], other).data_note.startswith("The runs read different data")


def test_shows_no_texts_where_they_are_not_to_be_shown() -> None:
    first, second = (replace(run, texts=False) for run in pair())
    text = Page(build_comparison(first, second)).text
    assert "Texts are not shown" in text
    examples = text.partition("Examples where they differ")[2]
    assert "row-" in examples
    assert "Where is my order? " not in examples.replace("Where is my order?\n", "")


def test_compares_with_a_run_that_judged_no_model() -> None:
    first, _ = pair()
    stopped = replace(
        first, summary=material(metrics=None, gates=[], slices={}).summary, insights=None, configuration=""
    )
    comparison = compare(first, stopped)
    assert [each.name for each in comparison.sections] == ["gates"]
    assert comparison.examples == []
    assert "Two runs side by side" in Page(build_comparison(first, stopped)).text
