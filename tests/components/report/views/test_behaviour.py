"""Sections of the report on the behavioural tests and the canary."""

from components.behaviour.results import Failure, GroupResult, Results, WrongLabel
from components.canary.verdict import CanaryVerdict
from components.registry import CanaryFindings
from components.report.page import build_page
from components.report.views.behaviour import FailureView, group_views, groups_table
from components.report.views.canary import canary_view
from tests.components.report.made_up import material
from tests.components.report.reading import Page

WRONG = WrongLabel(label="refund", must_be_given=False, probability=0.5, threshold=0.4, before=0.3)


def edited(before: str, after: str) -> FailureView:
    """Return the view of a failure in which `before` was edited to `after`."""
    failure = Failure(text=after, original=before, expected=[], given=["refund"], wrong=[WRONG])
    group = GroupResult(name="typos", kind="edits", edit="typos", cases=9, passed=8, bound=0.5, failures=[failure])
    (view,) = group_views(Results(groups=[group]), texts=True)
    return view.failures[0]


def test_shows_rate_and_bound_of_each_group() -> None:
    table = groups_table(material().behaviour)
    assert table is not None
    rows = [[cell.shown for cell in row] for row in table.rows]
    assert rows[1] == ["typos", "failed", "0.750", "0.900", "150", "200", "edits that must not change any label: typos"]
    assert [row[1] for row in rows] == ["passed", "failed", "only measured"]
    without_a_case = GroupResult(name="names", kind="edits", edit="names", cases=0, passed=0, bound=0.5)
    table = groups_table(Results(groups=[without_a_case]))
    assert table is not None
    assert [cell.shown for cell in table.rows[0]][1:3] == ["failed", "–"]


def test_shows_expected_and_given_labels_of_failures() -> None:
    text = Page(build_page(material())).text
    for part in (
        "2 of 40 failed", "50 of 200 failed", "the first 2 of 50",
        "billing is missing (0.310, threshold 0.400)", "must be given: billing · given: none",
        "shipping is wrongly given (0.520, 0.380 before the edit, threshold 0.400)",
        "edit of row row-1 of the test split · labels before the edit: billing · after the edit: billing, shipping",
    ):  # fmt: skip
        assert part in text


def test_without_texts_still_shows_those_of_the_tests_own_file() -> None:
    for texts in (True, False):
        text = Page(build_page(material(texts=texts))).text
        assert ("of the data" in text) == texts
        assert "the tests' own" in text
        assert "edit of row row-1 of the test split" in text


def test_marks_the_edited_words() -> None:
    ((before, original), (after, pieces)) = edited("where is my order?", "where is my odrer?").texts
    assert (before, after) == ("original", "edited")
    assert original == [(False, "where is my order?")]
    assert pieces == [(False, "where is my "), (True, "odrer?")]
    assert edited("so loud", "SO LOUD").texts[1][1] == [(False, "SO LOUD")], "not if every word is edited"


def test_shows_the_edited_part_of_a_long_text() -> None:
    long = "word " * 2_000
    (_, (_, pieces)) = edited(f"{long}typo {long}", f"{long}tpyo {long}").texts
    shown = "".join(piece for _, piece in pieces)
    assert (True, "tpyo") in pieces
    assert len(shown) < 1_100
    assert (shown[0], shown[-1]) == ("…", "…")


def test_shows_the_findings_of_the_canary() -> None:
    view = canary_view(material().summary.canary)
    assert view is not None
    facts = dict(view.facts)
    assert facts == {
        "requests answered correctly": "57",
        "largest difference from the Trainer's probabilities": "2.1e-07 on 32 rows (1e-05 allowed)",
        "peak memory": "812 MiB (4,096 allowed)",
        "time to load": "3.2 s",
    }
    assert view.latency is not None
    assert [[cell.shown for cell in row[1:]] for row in view.latency.rows] == [
        ["passed", "4.2", "4.0", "16.0"], ["failed", "190.0", "100.0", "160.0"],
    ]  # fmt: skip


def test_shows_a_canary_that_died_at_once() -> None:
    view = canary_view(CanaryVerdict(passed=False, reasons=["canary: it died"], findings=CanaryFindings()))
    assert view is not None
    assert view.facts == [("requests answered correctly", "0")]
    assert view.latency is None
    text = Page(build_page(material(canary=CanaryVerdict(passed=True, reasons=[], findings=CanaryFindings())))).text
    assert "Passed. The exported model" in text
