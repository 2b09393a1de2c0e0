"""From label columns to labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.formats.rows import Cell, Reason
from components.example_gen.formats.values import UnusableValueError
from components.example_gen.parsing.labels import make_label_parser, read_label_names
from schema.errors import Refused
from tests.components.example_gen.support import settings_for, write

DELIMITED = {"kind": "delimited", "column": "labels", "delimiter": "|"}
INDICATORS = {"kind": "indicators", "columns": ["toxic", "insult"]}
LIST = {"kind": "list", "column": "labels"}
INDICES = {"kind": "indices", "column": "labels", "names": "labels.txt"}


def parse(labels: dict[str, Any], values: Sequence[Cell], names: Sequence[str] = ()) -> list[str]:
    return make_label_parser(settings_for("d", format="jsonl", labels=labels).labels, names)(values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("joy|anger", ["joy", "anger"]),
        (" joy || anger |", ["joy", "anger"]),
        ("joy|anger|joy", ["joy", "anger"]),
        ("no delimiter, one label", ["no delimiter, one label"]),
        ("", []),
        (" | ", []),
    ],
)
def test_delimited_labels_are_stripped_and_blank_or_repeated_ones_ignored(value: str, expected: list[str]) -> None:
    assert parse(DELIMITED, [value]) == expected


@pytest.mark.parametrize(("flags", "expected"), [(["1", "0"], ["toxic"]), (["0", " 1 "], ["insult"]), (["0", "0"], [])])
def test_an_indicator_column_of_1_is_a_label(flags: list[str], expected: list[str]) -> None:
    assert parse(INDICATORS, flags) == expected


@pytest.mark.parametrize("flag", ["-1", "", "yes", "2", "1.0"])
def test_an_indicator_of_another_value_makes_the_row_unusable(flag: str) -> None:
    with pytest.raises(UnusableValueError) as unusable:
        parse(INDICATORS, ["0", flag])
    assert unusable.value.reason is Reason.NOT_0_OR_1
    assert unusable.value.detail == f"'{flag}' in column 'insult'"


def test_indices_point_into_the_list_of_labels() -> None:
    assert parse(INDICES, ["2, 0,2"], ["joy", "anger", "fear"]) == ["fear", "joy"]
    assert parse(INDICES, [""], ["joy"]) == []


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ("0,joy", Reason.NOT_AN_INDEX, "'joy'"),
        ("1.0", Reason.NOT_AN_INDEX, "'1.0'"),
        ("²", Reason.NOT_AN_INDEX, "'²'"),
        ("2", Reason.INDEX_OUT_OF_RANGE, "2 is not in 0 to 1"),
        ("-1", Reason.INDEX_OUT_OF_RANGE, "-1 is not in 0 to 1"),
        ("9" * 5000, Reason.INDEX_OUT_OF_RANGE, f"{'9' * 40} is not in 0 to 1"),
    ],
)
def test_an_index_that_points_nowhere_makes_the_row_unusable(value: str, reason: Reason, detail: str) -> None:
    with pytest.raises(UnusableValueError) as unusable:
        parse(INDICES, [value], ["joy", "anger"])
    assert (unusable.value.reason, unusable.value.detail) == (reason, detail)


@pytest.mark.parametrize("value", [["2", " 0", "2"], ["2,0"], ["2", "", "0,2"]])
def test_indices_may_come_as_a_list(value: list[str]) -> None:
    assert parse(INDICES, [value], ["joy", "anger", "fear"]) == ["fear", "joy"]


def test_a_list_holds_labels_themselves() -> None:
    assert parse(LIST, [[" joy ", "", "a|b", "joy", " "]]) == ["joy", "a|b"]
    assert parse(LIST, [[]]) == parse(LIST, [""]) == []


def test_a_list_of_one_is_its_element() -> None:
    assert parse(DELIMITED, [["joy|anger"]]) == ["joy", "anger"]
    assert parse(DELIMITED, [[]]) == []
    assert parse(INDICATORS, [["1"], ["0"]]) == ["toxic"]


@pytest.mark.parametrize(
    ("labels", "values", "sentence"),
    [
        (DELIMITED, [None], "missing field: 'labels'"),
        (DELIMITED, [["joy", "anger"]], "not a string: 'labels' holds 2 values"),
        (LIST, [None], "missing field: 'labels'"),
        (LIST, ["joy"], "labels are not a list: 'labels' holds 'joy'"),
        (INDICES, [None], "missing field: 'labels'"),
        (INDICES, [["0", "joy"]], "label index is not a number: 'joy'"),
        (INDICATORS, ["1", None], "missing field: 'insult'"),
        (INDICATORS, ["1", ["1", "0"]], "not a string: 'insult' holds 2 values"),
        (INDICATORS, ["1", []], "label column is neither 0 nor 1: '' in column 'insult'"),
    ],
)
def test_a_value_of_the_wrong_kind_makes_the_row_unusable(
    labels: dict[str, Any], values: list[Cell], sentence: str
) -> None:
    with pytest.raises(UnusableValueError) as unusable:
        parse(labels, values, ["joy"])
    assert f"{unusable.value.reason}: {unusable.value.detail}" == sentence


def test_the_list_of_labels_is_one_label_a_line(tmp_path: Path) -> None:
    write(tmp_path / "labels.txt", b"\xef\xbb\xbfjoy\r\nanger \r\n\r\n")
    assert read_label_names(settings_for(tmp_path, labels=INDICES).labels, str(tmp_path)) == ("joy", "anger")


def test_other_kinds_of_labels_need_no_list(tmp_path: Path) -> None:
    assert read_label_names(settings_for(tmp_path).labels, str(tmp_path)) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "labels.txt: no such list of labels"),
        (b"joy\n\nanger\n", "labels.txt:2: a blank line in the list of labels"),
        (b"joy\nanger\njoy\n", "labels.txt:3: label 'joy' is listed twice"),
        (b"", "labels.txt:1: a blank line in the list of labels"),
        (b"\xff\xfe", "labels.txt: the list of labels is not UTF-8"),
    ],
)
def test_a_list_of_labels_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        write(tmp_path / "labels.txt", content)
    with pytest.raises(Refused) as refused:
        read_label_names(settings_for(tmp_path, labels=INDICES).labels, str(tmp_path))
    assert message in str(refused.value)
