"""What rows leave unknown: values of flags, lists of what was asked, and files labelled for some labels alone."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.example_gen.formats.rows import Cell, Object, Reason, Rejected, Row, Unlabelled
from components.example_gen.formats.values import UnusableValueError
from components.example_gen.parsing.known import KnownLabels, LabelResolver
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.parsing.row_parser import LabelledText, make_row_parser
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused
from tests.components.example_gen.support import TRAIN_EVAL_TEST, settings_for

CHANGES = LabelChanges(renamed={"anger_": "anger"}, retired=("bored",), names=("joy", "anger", "fear", "bored"))
VECTOR = {"kind": "multihot", "column": "labels", "names": "n.txt"}
FLAGS = {"kind": "indicators", "columns": ["joy", "anger"], "unknown": [-1, "", "NaN"]}


def parse(settings: ExamplesSettings, columns: tuple[str, ...], *cells: Cell) -> LabelledText | Rejected:
    entry, names = settings.inputs[0], ("joy", "anger")
    parser = make_row_parser(columns, settings, entry.asked, names, "a.csv", asked_delimiter=entry.asked_delimiter)
    return parser.parse(Row(2, list(cells), b""))


def known(settings: ExamplesSettings, columns: tuple[str, ...], *cells: Cell) -> KnownLabels:
    parsed = parse(settings, columns, *cells)
    assert isinstance(parsed, LabelledText)
    return LabelResolver(CHANGES).resolve(parsed)


def asking(asked: Any, **labels: Any) -> ExamplesSettings:
    chosen = {"kind": "delimited", "column": "labels"} | labels
    return settings_for("d", labels=chosen, inputs=[TRAIN_EVAL_TEST[0] | {"asked": asked}])


@pytest.mark.parametrize("value", ["-1", "-1.0", " ", "nan", None])
def test_reads_configured_values_of_a_flag_as_unknown(value: str | None) -> None:
    parsed = parse(settings_for("d", labels=FLAGS), ("text", "joy", "anger"), "a text", "1", value)
    assert isinstance(parsed, LabelledText)
    assert (parsed.labels, parsed.unknown) == (["joy"], ["anger"])


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("2", "0"), Reason.NOT_0_OR_1),
        (("1", None), Reason.MISSING_FIELD),
        (("-1", "-1"), Reason.NOT_LABELLED),
    ],
)
def test_rejects_values_that_are_not_configured_and_rows_that_say_nothing(cells: tuple[Cell], reason: Reason) -> None:
    parsed = parse(settings_for("d", labels=FLAGS | {"unknown": [-1]}), ("text", "joy", "anger"), "a text", *cells)
    assert isinstance(parsed, Rejected)
    assert parsed.reason is reason


@pytest.mark.parametrize("cell", ["[1, -1]", "1 -1", ["1", "-1"]])
def test_reads_unknown_values_in_vectors(cell: Cell) -> None:
    labels = {"kind": "multihot", "column": "labels", "names": "names.txt", "unknown": ["-1"]}
    parsed = parse(settings_for("d", labels=labels), ("text", "labels"), "a text", cell)
    assert isinstance(parsed, LabelledText)
    assert (parsed.labels, parsed.unknown) == (["joy"], ["anger"])


@pytest.mark.parametrize("value", [0, 1, "no", True])
def test_refuses_unknown_values_that_say_yes_or_no(value: Any) -> None:
    with pytest.raises(ValidationError, match=r"means (yes|no); name other values"):
        settings_for("d", labels=FLAGS | {"unknown": [value]})


def test_settings_survive_json_whatever_the_unknown_values_are() -> None:
    settings = settings_for("d", labels=FLAGS | {"unknown": [-1, None, float("nan"), "?"]})
    assert settings.labels.model_dump()["unknown"] == ("-1", "", "NaN", "?")
    assert ExamplesSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, KnownLabels(["joy"], [], [])),
        (["joy", "anger"], KnownLabels(["joy"], ["fear"], [])),
        (["anger_"], KnownLabels(["joy"], ["fear"], [])),  # the row has joy, asked for or not
        ([], KnownLabels(["joy"], ["anger", "fear"], [])),
    ],
)
def test_a_file_may_be_labelled_for_some_labels_alone(asked: list[str] | None, expected: KnownLabels) -> None:
    assert known(asking(asked), ("text", "labels"), "a text", "joy") == expected


@pytest.mark.parametrize(
    ("labels", "cells", "expected"),
    [
        ({}, ("joy", "joy|fear"), KnownLabels(["joy"], ["anger"], [])),
        ({}, ("", "anger_"), KnownLabels([], ["joy", "fear"], [])),
        ({}, ("joy|bored", ""), KnownLabels(["joy"], ["anger", "fear"], ["bored"])),
        ({"kind": "list"}, ("['joy']", ["joy", "fear"]), KnownLabels(["joy"], ["anger"], [])),
        ({"kind": "indices", "names": "n.txt"}, ("0", "0,1"), KnownLabels(["joy"], ["fear"], [])),
    ],
)
def test_a_column_may_list_what_each_row_was_asked_for(
    labels: dict[str, Any], cells: tuple[Cell, Cell], expected: KnownLabels
) -> None:
    assert known(asking("asked", **labels), ("text", "labels", "asked"), "a text", *cells) == expected


@pytest.mark.parametrize(
    ("labels", "columns", "cells", "expected"),
    [
        (FLAGS, ("joy", "anger"), ("1", "0", "joy|anger"), KnownLabels(["joy"], ["fear"], [])),
        (FLAGS, ("joy", "anger"), ("1", "0", ["joy"]), KnownLabels(["joy"], ["anger", "fear"], [])),
        # A label that the row was not asked for may be blank; the data has a former name of anger.
        (FLAGS | {"unknown": []}, ("joy", "anger"), ("0", "", "['joy']"), KnownLabels([], ["anger", "fear"], [])),
        ({"kind": "columns", "columns": ["a", "b"]}, ("a", "b"), ("joy", "", "joy|fear"),
         KnownLabels(["joy"], ["anger"], [])),
        (VECTOR, ("labels",), ("[1, 0]", "[1, 0]"), KnownLabels(["joy"], ["anger", "fear"], [])),
        (VECTOR, ("labels",), (["1", "0"], "joy|anger"), KnownLabels(["joy"], ["fear"], [])),
    ],
)  # fmt: skip
def test_a_column_may_list_labels_that_are_elsewhere(
    labels: dict[str, Any], columns: tuple[str, ...], cells: tuple[Cell, ...], expected: KnownLabels
) -> None:
    entry = TRAIN_EVAL_TEST[0] | {"asked": "asked"}
    settings = settings_for("d", format="jsonl", labels=labels, inputs=[entry])
    assert known(settings, ("text", *columns, "asked"), "a text", *cells) == expected


def test_a_column_of_what_was_asked_may_have_a_delimiter_of_its_own() -> None:
    entry = TRAIN_EVAL_TEST[0] | {"asked": "asked", "asked_delimiter": ","}
    for labels in (FLAGS, {"kind": "list", "column": "joy"}, {"kind": "delimited", "column": "joy"}):
        settings = settings_for("d", format="jsonl", labels=labels, inputs=[entry])
        found = known(settings, ("text", "joy", "anger", "asked"), "a text", "0", "0", "joy, anger")
        assert found.unknown == ["fear"]
    with pytest.raises(ValidationError, match="asked_delimiter is set, but asked names no column"):
        settings_for("d", inputs=[TRAIN_EVAL_TEST[0] | {"asked_delimiter": ","}])


def test_a_file_may_lack_columns_that_it_was_not_labelled_for() -> None:
    entry = TRAIN_EVAL_TEST[0] | {"asked": ["joy"]}
    settings = settings_for("d", format="jsonl", labels=FLAGS, inputs=[entry])
    assert known(settings, ("text", "joy"), "a text", "1") == KnownLabels(["joy"], ["anger", "fear"], [])
    with pytest.raises(Refused, match="no column 'joy'"):
        known(settings, ("text", "anger"), "a text", "1")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('{"joy": 1, "anger": null}', (["joy"], ["anger"], {})),
        ('{"joy": 0.8, "anger": -1, "fear": 0}', (["joy"], ["anger"], {"joy": 0.8})),
        ('[{"label": "joy", "score": 0.2}, {"label": "fear", "score": 1}]', (["fear"], [], {"joy": 0.2})),
    ],
)
def test_objects_of_scores_may_leave_labels_unknown(cell: str, expected: tuple[Any, ...]) -> None:
    labels = {"kind": "list", "column": "labels", "unknown": [-1, None], "soft": True}
    parsed = parse(settings_for("d", format="jsonl", labels=labels), ("text", "labels"), "a text", Object(cell))
    assert isinstance(parsed, LabelledText)
    assert (parsed.labels, parsed.unknown, parsed.scores) == expected


def test_vectors_may_be_soft_and_leave_labels_unknown() -> None:
    settings = settings_for("d", format="jsonl", labels=VECTOR | {"soft": True, "unknown": ["nan"]})
    parsed = parse(settings, ("text", "labels"), "a text", "[0.75  nan]")
    assert isinstance(parsed, LabelledText)
    assert (parsed.labels, parsed.unknown, parsed.scores) == (["joy"], ["anger"], {"joy": 0.75})


def test_a_row_that_its_format_calls_unlabelled_is_left_out() -> None:
    settings = settings_for("d", format="jsonl", labels={"kind": "columns", "columns": ["label"]})
    rejected = parse(settings, ("text", "label"), "a text", Unlabelled(""))
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.NOT_LABELLED


@pytest.mark.parametrize(("asked", "reason"), [([], Reason.NOT_LABELLED), (["hope"], Reason.NOT_A_LABEL)])
def test_refuses_a_row_without_answers_and_a_question_for_no_label(asked: list[str], reason: Reason) -> None:
    with pytest.raises(UnusableValueError) as caught:
        LabelResolver(CHANGES).resolve(LabelledText("1", "a text", [], [], asked=asked))
    assert caught.value.reason is reason


def test_resolves_labels_as_before_if_everything_is_known() -> None:
    row = LabelledText("1", "a text", ["anger_", "new", "bored"], [])
    assert LabelResolver(CHANGES).resolve(row) == KnownLabels(["anger", "new"], [], ["bored"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slices": ["asked"]}, "which has another use"),
        ({"columns": ["text", "labels"]}, r"columns has no 'asked', which inputs\[0\]\.asked names"),
    ],
)
def test_refuses_a_column_that_cannot_list_labels(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings_for("d", **({"inputs": [TRAIN_EVAL_TEST[0] | {"asked": "asked"}]} | changes))


IMPLYING = LabelChanges(implies={"dog": ("animal",), "spaniel": ("animal", "dog")}, names=("animal", "dog", "spaniel"))


@pytest.mark.parametrize(
    ("given", "unknown", "expected"),
    [
        (["spaniel"], [], KnownLabels(["spaniel", "animal", "dog"], [], [], ["animal", "dog"])),
        (["animal", "dog"], [], KnownLabels(["animal", "dog"], [], [])),
        # What nobody knows is no contradiction, but follows: yes upwards, no downwards.
        (["dog"], ["animal", "spaniel"], KnownLabels(["dog", "animal"], ["spaniel"], [])),
        ([], ["dog", "spaniel"], KnownLabels([], [], [])),
        (["animal"], ["dog", "spaniel"], KnownLabels(["animal"], ["dog", "spaniel"], [])),
        (["animal"], ["spaniel"], KnownLabels(["animal"], [], [])),
    ],
)
def test_completes_what_labels_imply(given: list[str], unknown: list[str], expected: KnownLabels) -> None:
    assert LabelResolver(IMPLYING).resolve(LabelledText("1", "text", given, [], unknown=unknown)) == expected


def test_refuses_a_contradiction_but_not_an_open_question() -> None:
    resolver = LabelResolver(IMPLYING, complete=False)
    with pytest.raises(UnusableValueError) as caught:
        resolver.resolve(LabelledText("1", "text", ["spaniel", "animal"], []))
    assert caught.value.reason is Reason.CONTRADICTION
    assert caught.value.detail == "'spaniel' without 'dog'"
    row = LabelledText("1", "text", ["spaniel", "animal"], [], unknown=["dog"])
    assert resolver.resolve(row).given == ["spaniel", "animal", "dog"]


@pytest.mark.parametrize(
    ("labels", "columns", "cells", "given", "scores", "unknown"),
    [
        (FLAGS | {"soft": True}, ("joy", "anger"), ("0.3", "0.5"), ["anger"], {"joy": 0.3, "anger": 0.5}, []),
        (FLAGS | {"soft": True, "cut": 0.7}, ("joy", "anger"), ("yes", "0.6"), ["joy"], {"anger": 0.6}, []),
        (FLAGS | {"soft": True}, ("joy", "anger"), ("-1", "0.6"), ["anger"], {"anger": 0.6}, ["joy"]),
        ({"kind": "list", "column": "cats", "soft": True}, ("cats",), ('{"joy": 0.2, "anger": 1}',), ["anger"],
         {"joy": 0.2}, []),
        ({"kind": "list", "column": "cats", "soft": True, "cut": 0.2}, ("cats",), ('{"joy": 0.2}',), ["joy"],
         {"joy": 0.2}, []),
    ],
)  # fmt: skip
def test_reads_soft_labels_and_cuts_them(
    labels: dict[str, Any], columns: tuple[str, ...], cells: tuple[str, ...], given: list[str],
    scores: dict[str, float], unknown: list[str],
) -> None:  # fmt: skip
    parsed = parse(settings_for("d", labels=labels), ("text", *columns), "a text", *cells)
    assert isinstance(parsed, LabelledText)
    assert (parsed.labels, parsed.scores, parsed.unknown) == (given, scores, unknown)


@pytest.mark.parametrize("value", ["1.5", "-0.1", "much"])
def test_rejects_what_is_no_share(value: str) -> None:
    parsed = parse(settings_for("d", labels=FLAGS | {"soft": True}), ("text", "joy", "anger"), "a text", "0.5", value)
    assert isinstance(parsed, Rejected)
    assert parsed.reason is Reason.NOT_0_OR_1


def test_a_label_is_as_sure_as_the_surest_one_that_implies_it() -> None:
    row = LabelledText("1", "text", ["spaniel"], [], scores={"spaniel": 0.8, "animal": 0.3})
    resolved = LabelResolver(IMPLYING).resolve(row)
    assert resolved.given == ["spaniel", "animal", "dog"]
    assert resolved.scores == {"spaniel": 0.8, "animal": 0.8, "dog": 0.8}
    unsure = LabelledText("1", "text", ["dog", "animal"], [], scores={"spaniel": 0.2})
    assert LabelResolver(IMPLYING).resolve(unsure).scores == {"spaniel": 0.2}


def test_refuses_to_merge_shares() -> None:
    with pytest.raises(ValidationError, match=r"labels\.soft is true, but copies are merged"):
        settings_for("d", labels=FLAGS | {"soft": True}, copies="merge")


def test_refuses_to_refuse_parts_of_labels() -> None:
    with pytest.raises(ValidationError, match="implied is refuse, but copies are merged"):
        settings_for("d", implied="refuse", copies="merge")
