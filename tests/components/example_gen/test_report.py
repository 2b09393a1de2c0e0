"""Tallies of rows, their sum, and the report."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.example_gen import report
from components.example_gen.formats.rows import Reason
from components.example_gen.report import IngestReport, LabelCount, Tally
from components.example_gen.sources.settings import SPLITS, Split

ROWS = st.lists(
    st.one_of(
        st.sampled_from(list(Reason)),
        st.tuples(st.sampled_from(SPLITS), st.lists(st.sampled_from("abc"), unique=True)),
    ),
    max_size=20,
)
FILES = ("a.csv", "b.csv", "c.csv", "d.csv")
FileRows = list[Reason | tuple[Split, list[str]]]


def tally_of(order: int, rows: FileRows) -> Tally:
    tally = Tally()
    for line, row in enumerate(rows, start=2):
        tally.read += 1
        if isinstance(row, Reason):
            tally.reasons[row] += 1
        else:
            split, labels = row
            tally.splits[split] += 1
            for label in labels:
                tally.count_label(label, 1, (order, line))
    return tally


def merged(tallies: list[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total


@given(files=st.lists(ROWS, max_size=4), seed=st.randoms())
def test_merges_tallies_in_any_order(files: list[FileRows], seed: random.Random) -> None:
    tallies = [tally_of(order, rows) for order, rows in enumerate(files)]
    in_order = merged(tallies).report(FILES)
    seed.shuffle(tallies)
    middle = len(tallies) // 2
    in_parts = merged([merged(tallies[:middle]), merged(tallies[middle:])]).report(FILES)
    assert in_order == in_parts
    assert list(in_order.labels) == list(in_parts.labels)
    assert in_order.rows_read == in_order.accepted + in_order.quarantined == sum(map(len, files))


def test_reports_the_first_row_of_each_label() -> None:
    tallies = [tally_of(0, [("train", ["a"])]), tally_of(1, [("eval", ["b"]), ("test", ["a", "b"])])]
    assert merged(tallies[::-1]).report(FILES).labels == {
        "a": LabelCount(count=2, first="a.csv:2"),
        "b": LabelCount(count=2, first="b.csv:2"),
    }


def test_keeps_only_the_first_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_LABELS", 3)
    tallies = [tally_of(0, [("train", ["b", "a"])]), tally_of(1, [("train", [label]) for label in "zyxwa"])]
    assert list(merged(tallies[::-1]).report(FILES).labels) == ["a", "b", "z"]


def test_refuses_a_report_that_does_not_account_for_every_row() -> None:
    with pytest.raises(ValidationError, match="3 rows read, but 1 accepted, 0 merged and 1 quarantined"):
        IngestReport(
            read=3,
            accepted=1,
            quarantined=1,
            reasons={"blank text": 1},
            splits={"train": 1, "eval": 0, "test": 0},
            labels={},
        )


def test_reads_a_report_as_it_was_written(tmp_path: Path) -> None:
    written = tally_of(0, [("train", ["a"]), Reason.BLANK_TEXT]).report(FILES)
    written.write(str(tmp_path))
    assert IngestReport.read(str(tmp_path)) == written
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert written.reasons == {"blank text": 1}
    assert written.splits == {"train": 1, "eval": 0, "test": 0}
