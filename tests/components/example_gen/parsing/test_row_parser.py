"""Parsing of rows, and the search for their columns."""

from typing import Any

import pytest

from components.example_gen.formats.rows import Cell, Reason, Rejected, Row
from components.example_gen.parsing.columns import Layout, find_columns
from components.example_gen.parsing.labels import make_label_parser
from components.example_gen.parsing.row_parser import LabelledText, RowParser
from schema.errors import Refused
from tests.components.example_gen.support import settings_for

COLUMNS = ("id", "text", "labels", "channel")


def parse(*cells: Cell, **changes: Any) -> LabelledText | Rejected:
    settings = settings_for("d", **({"id": "id", "slices": ["channel"]} | changes))
    parser = RowParser("a.csv", find_columns(COLUMNS, settings, "a.csv"), make_label_parser(settings.labels))
    return parser.parse(Row(7, list(cells), ",".join(map(str, cells)).encode() + b"\n"))


def test_parses_the_parts_of_an_example() -> None:
    assert parse(" k1 ", " some text ", "joy|anger", " mail ") == LabelledText(
        "k1", " some text ", ["joy", "anger"], ["mail"]
    )


def test_uses_file_and_line_as_id_if_there_is_no_id_column() -> None:
    parsed = parse("", "text", "", "", id=None)
    assert isinstance(parsed, LabelledText)
    assert parsed.id == "a.csv:7"


def test_reads_a_blank_slice_as_an_empty_string() -> None:
    parsed = parse("k1", "text", "", "  ")
    assert isinstance(parsed, LabelledText)
    assert parsed.slices == [""]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ((" ", "text", "", ""), Reason.BLANK_ID),
        (("k1", "", "joy", ""), Reason.BLANK_TEXT),
        (("k1", " \n\u2003", "joy", ""), Reason.BLANK_TEXT),
    ],
)
def test_rejects_a_row_without_id_or_text(cells: tuple[str, ...], reason: Reason) -> None:
    parsed = parse(*cells)
    assert isinstance(parsed, Rejected)
    assert (parsed.line, parsed.reason) == (7, reason)
    assert parsed.raw == ",".join(cells)


def test_accepts_nul_in_a_text() -> None:
    assert isinstance(parse("k1", "a\0b", "", ""), LabelledText)


def test_reads_a_list_of_one_as_its_element_and_an_empty_list_as_blank() -> None:
    assert parse(["k1"], ["text"], ["joy"], []) == LabelledText("k1", "text", ["joy"], [""])


def test_parses_pairs_and_groups() -> None:
    settings: dict[str, Any] = {"text_pair": "channel", "slices": [], "id": None, "group": "id"}
    assert parse(" k1", "text", "", " pair ", **settings) == LabelledText("a.csv:7", "text", [], [], " pair ", "k1")
    blank = parse("k1", "text", "", "", **settings)
    assert isinstance(blank, LabelledText)
    assert blank.pair == ""


@pytest.mark.parametrize(
    ("cells", "explanation"),
    [
        ((None, "text", "", ""), "missing field: 'id'"),
        (("k1", None, "", ""), "missing field: 'text'"),
        (("k1", "text", None, ""), "missing field: 'labels'"),
        (("k1", "text", "", None), "missing field: 'channel'"),
        (("k1", ["some", "text"], "", ""), "not a string: 'text' holds 2 values"),
        (("k1", [], "", ""), "blank text"),
    ],
)
def test_rejects_a_row_whose_value_is_not_a_string(cells: tuple[Cell, ...], explanation: str) -> None:
    parsed = parse(*cells)
    assert isinstance(parsed, Rejected)
    assert parsed.explanation == explanation


def test_finds_columns_by_name() -> None:
    settings = settings_for("d", slices=["channel"], labels={"kind": "indicators", "columns": ["b", "a"]})
    assert find_columns(["a", "channel", "text", "b"], settings, "x.csv") == Layout(
        columns=("a", "channel", "text", "b"), id=None, text=2, text_pair=None, labels=(3, 0), slices=(1,), group=None
    )


@pytest.mark.parametrize(
    ("columns", "changes", "message"),
    [
        (
            ["id", "txt", "labels"],
            {},
            "x.csv: no column 'text' (it has: id, txt, labels; did you mean 'txt'?); set examples.text",
        ),
        (["text"], {}, "x.csv: no column 'labels' (it has: text); set examples.labels.column"),
        (["text", "labels"], {"id": "key"}, "x.csv: no column 'key' (it has: text, labels); set examples.id"),
        (
            ["text", "a"],
            {"labels": {"kind": "indicators", "columns": ["a", "zz"]}},
            "x.csv: no column 'zz' (it has: text, a); set examples.labels.columns",
        ),
        (
            ["text", "labels"],
            {"slices": ["lang"]},
            "x.csv: no column 'lang' (it has: text, labels); set examples.slices",
        ),
        (["text", "labels", "text"], {}, "x.csv: two columns are named 'text'; rename one"),
    ],
)
def test_refuses_a_missing_or_repeated_column(columns: list[str], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as refused:
        find_columns(columns, settings_for("d", **changes), "x.csv")
    assert str(refused.value) == message


def test_lists_only_some_of_many_columns() -> None:
    with pytest.raises(Refused, match=r"it has: c0, .*, c11, \.\.\.\)"):
        find_columns([f"c{number}" for number in range(500)], settings_for("d"), "x.csv")


def test_lists_unread_columns_too() -> None:
    with pytest.raises(Refused) as refused:
        find_columns(["labels"], settings_for("d"), "x.csv", others=["txt", "a\nb"])
    assert "(it has: labels, txt, a\\nb; did you mean 'txt'?)" in str(refused.value)
