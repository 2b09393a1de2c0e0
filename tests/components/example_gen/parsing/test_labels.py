"""Parsers of label columns, and the list of labels."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.example_gen.formats.rows import Cell, LabelName, Object, Reason
from components.example_gen.formats.values import UnusableValueError
from components.example_gen.parsing.labels import make_label_parser, make_score_parser, read_label_names
from schema.errors import Refused
from tests.components.example_gen.support import settings_for, write_file

DELIMITED = {"kind": "delimited", "column": "labels", "delimiter": "|"}
INDICATORS = {"kind": "indicators", "columns": ["toxic", "insult"]}
LIST = {"kind": "list", "column": "labels"}
VECTOR = {"kind": "multihot", "column": "labels", "names": "labels.txt"}
INDICES = {"kind": "indices", "column": "labels", "names": "labels.txt"}


def parse(labels: dict[str, Any], cells: Sequence[Cell], names: Sequence[str] = ()) -> list[str]:
    return make_label_parser(settings_for("d", format="jsonl", labels=labels).labels, names)(cells)


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
def test_strips_delimited_labels_and_ignores_blank_and_repeated_ones(value: str, expected: list[str]) -> None:
    assert parse(DELIMITED, [value]) == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["1", "0"], ["toxic"]),
        (["0", " 1 "], ["insult"]),
        (["0", "0"], []),
        (["True", "False"], ["toxic"]),
        (["no", "YES"], ["insult"]),
        (["1.0", "0,0"], ["toxic"]),
    ],
)
def test_reads_an_indicator_that_says_yes_as_a_label(flags: list[str], expected: list[str]) -> None:
    assert parse(INDICATORS, flags) == expected


@pytest.mark.parametrize("flag", ["-1", "", "maybe", "2", "1.5", "nan"])
def test_rejects_an_indicator_that_is_neither_0_nor_1(flag: str) -> None:
    with pytest.raises(UnusableValueError) as error:
        parse(INDICATORS, ["0", flag])
    assert error.value.reason is Reason.NOT_0_OR_1
    assert error.value.detail == f"'{flag}' in column 'insult'"


def test_reads_indices_into_the_list_of_labels() -> None:
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
def test_rejects_an_index_that_is_not_in_the_list(value: str, reason: Reason, detail: str) -> None:
    with pytest.raises(UnusableValueError) as error:
        parse(INDICES, [value], ["joy", "anger"])
    assert (error.value.reason, error.value.detail) == (reason, detail)


@pytest.mark.parametrize("value", [["2", " 0", "2"], ["2,0"], ["2", "", "0,2"]])
def test_reads_a_list_of_indices(value: list[str]) -> None:
    assert parse(INDICES, [value], ["joy", "anger", "fear"]) == ["fear", "joy"]


def test_reads_a_list_of_labels() -> None:
    assert parse(LIST, [[" joy ", "", "a|b", "joy", " "]]) == ["joy", "a|b"]
    assert parse(LIST, [[]]) == parse(LIST, [""]) == []
    assert parse(LIST, ["joy"]) == ["joy"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("['joy', \"men's shoes\"]", ["joy", "men's shoes"]),
        ('["joy", null, "a, b"]', ["joy", "a, b"]),
        ("['joy' 'anger'\n 'fear']", ["joy", "anger", "fear"]),
        ("array(['joy', 'anger'], dtype=object)", ["joy", "anger"]),
        ("('joy',)", ["joy"]),
        ("'joy', \"men's\"", ["joy", "men's"]),
        ('"joy"', ["joy"]),
        ("set()", []),
        ("{'joy', 'anger'}", ["joy", "anger"]),
        ("[joy, account access]", ["joy", "account access"]),
        ("[account access]", ["account access"]),
        ("{joy,anger}", ["joy", "anger"]),
        ("[]", []),
        ("[None, nan]", []),
        ('{"joy": 1, "anger": 0.0, "fear": 0.5}', ["joy", "fear"]),
        ("{'joy': True, 'anger': False}", ["joy"]),
        ('{"choices": ["joy", "anger"]}', ["joy", "anger"]),
        ("[{'id': 28, 'name': 'Drama'}, {'id': 1, 'name': 'War'}]", ["Drama", "War"]),
        ('[{"result": [{"value": {"choices": ["joy"]}}]}]', ["joy"]),
    ],
)
def test_reads_a_printed_list_or_an_object(text: str, expected: list[str]) -> None:
    assert parse(LIST, [text]) == expected


@pytest.mark.parametrize("cell", [["1", "0", "1"], "[1. 0. 1.]", "1,0,1", ["[1, 0, 1]"], "[True, False, True]"])
def test_reads_a_vector_by_position(cell: Cell) -> None:
    assert parse(VECTOR, [cell], ["joy", "anger", "fear"]) == ["joy", "fear"]


def test_reads_one_label_from_each_of_several_columns() -> None:
    columns = {"kind": "columns", "columns": ["label_1", "label_2"]}
    assert parse(columns, ["a, b|c", " d "]) == ["a, b|c", "d"]
    assert parse(columns, ["", "d"]) == ["d"]


def test_takes_the_brackets_off_tags() -> None:
    assert parse(DELIMITED | {"delimiter": "><"}, ["<python><c#>"]) == ["python", "c#"]


def test_reads_a_list_of_one_as_its_element() -> None:
    assert parse(DELIMITED, [["joy|anger"]]) == ["joy", "anger"]
    assert parse(DELIMITED, [[]]) == []
    assert parse(INDICATORS, [["1"], ["0"]]) == ["toxic"]


@pytest.mark.parametrize(
    ("labels", "cells", "explanation"),
    [
        (DELIMITED, [None], "missing field: 'labels'"),
        (DELIMITED, [["joy", "anger"]], "not a string: 'labels' holds 2 values"),
        (LIST, [None], "missing field: 'labels'"),
        (LIST, ["['joy]"], "labels are not a list: 'labels' holds '['joy]': a quote in the list is not closed"),
        (VECTOR, ["[1, 0]"], "labels are not a vector of 0 and 1: 2 values for 1 labels"),
        (VECTOR, ["joy"], "labels are not a vector of 0 and 1: 'joy'"),
        (DELIMITED, [Object('{"a": 1}')], "not a string: 'labels' holds an object"),
        (INDICES, [None], "missing field: 'labels'"),
        (INDICES, [["0", "joy"]], "label index is not a number: 'joy'"),
        (INDICATORS, ["1", None], "missing field: 'insult'"),
        (INDICATORS, ["1", ["1", "0"]], "not a string: 'insult' holds 2 values"),
        (INDICATORS, ["1", []], "label column is neither 0 nor 1: '' in column 'insult'"),
    ],
)
def test_rejects_a_value_of_the_wrong_kind(labels: dict[str, Any], cells: list[Cell], explanation: str) -> None:
    with pytest.raises(UnusableValueError) as error:
        parse(labels, cells, ["joy"])
    assert f"{error.value.reason}: {error.value.detail}" == explanation


def test_reads_the_list_of_labels_from_lines(tmp_path: Path) -> None:
    write_file(tmp_path / "labels.txt", b"\xef\xbb\xbfjoy\r\nanger \r\n\r\n")
    assert read_label_names(settings_for(tmp_path, labels=INDICES).labels, str(tmp_path)) == ("joy", "anger")


def test_needs_no_list_for_other_kinds_of_labels(tmp_path: Path) -> None:
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
def test_refuses_an_invalid_list_of_labels(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        write_file(tmp_path / "labels.txt", content)
    with pytest.raises(Refused) as refused:
        read_label_names(settings_for(tmp_path, labels=INDICES).labels, str(tmp_path))
    assert message in str(refused.value)


@settings(max_examples=300, deadline=None)
@given(st.text("[]{}()'\",:\\ \n\x00ab1.", max_size=30))
@example("[" * 400 + "1" + "]" * 400)
@example("[" * 100_000)
@example("['two\nlines']")
def test_whatever_is_printed_is_read_or_rejected(text: str) -> None:
    labels = []
    with contextlib.suppress(UnusableValueError):  # any other error would end the run
        labels = parse(LIST, [text])
    assert all(label == label.strip() != "" for label in labels)


ANNOTATED = '[{"result": [{"value": {"choices": ["joy", "fear"]}}]}, {"result": [{"value": {"choices": ["joy"]}}]}]'


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (ANNOTATED, ["joy", "fear"]),  # half of the annotators is enough
        ('[{"result": [], "was_cancelled": true}, {"result": [{"value": {"choices": ["joy"]}}]}]', ["joy"]),
        ('[{"label": "joy", "score": 0.9}, {"label": "fear", "score": 0.1}, {"label": "a", "rank": 3}]', ["joy", "a"]),
        ('{"label": "joy", "value": false}', []),
        ("{joy,\"account access\",'fear'}", ["joy", "account access", "fear"]),
        ("[joy, account access]", ["joy", "account access"]),
    ],
)  # fmt: skip
def test_reads_lists_and_objects_as_tools_write_them(cell: str, expected: list[str]) -> None:
    assert parse(LIST, [cell if cell[0] == "{" and ":" not in cell else Object(cell)]) == expected


def test_labels_of_several_annotators_are_soft_labels() -> None:
    labels = settings_for("d", format="jsonl", labels=LIST | {"soft": True}).labels
    score = make_score_parser(labels)
    assert score is not None
    assert score([Object(ANNOTATED)]) == {"fear": 0.5}


@pytest.mark.parametrize(
    ("cell", "explanation"),
    [
        ("['joy', 'fea", "it is not closed, as if cut short"),
        ("['joy' 'fear' ... 'hope']", r"abbreviated \(\.\.\.\)"),
        ('{"joy": 1, "fear": "maybe"}', "'fear' has maybe"),
    ],
)
def test_rejects_lists_that_are_not_whole(cell: str, explanation: str) -> None:
    with pytest.raises(UnusableValueError, match=Reason.NOT_A_LIST) as caught:
        parse(LIST, [cell])
    assert re.search(explanation, caught.value.detail)


@pytest.mark.parametrize("cell", [Object('[{"result": [], "was_cancelled": true}]'), []])
def test_a_task_without_annotations_is_not_labelled(cell: Cell) -> None:
    with pytest.raises(UnusableValueError) as caught:
        parse({"kind": "list", "column": "annotations"}, [cell])
    assert caught.value.reason is Reason.NOT_LABELLED


def test_indices_may_be_named_by_their_file() -> None:
    assert parse(INDICES, [[LabelName("anger"), LabelName("joy")]], ["joy", "anger"]) == ["anger", "joy"]
    with pytest.raises(UnusableValueError):
        parse(INDICES, [[LabelName("hope")]], ["joy", "anger"])
