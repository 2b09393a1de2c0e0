"""What printed lists and objects say about labels, in the forms that tools write."""

from typing import Any

import pytest

from components.example_gen.parsing.judgements import judgements
from components.example_gen.parsing.printed import is_printed, parse_printed


def _given(text: str) -> list[str]:
    assert is_printed(text)
    return [label for label, score in judgements(parse_printed(text)) if score is not None and score >= 0.5]


@pytest.mark.parametrize(
    "text",
    [
        "[np.str_('a'), np.str_('b c')]",
        "WrappedArray(a, b c)",
        "List(a, b c)",
        'c("a", "b c")',
        "dict_keys(['a', 'b c'])",
        "OrderedDict({'a': 1, 'z': 0, 'b c': 1})",
        "OrderedDict([('a', 1), ('z', 0), ('b c', 1)])",
        "Counter({'a': 1, 'b c': 1})",
        "tf.Tensor([b'a' b'b c'], shape=(2,), dtype=string)",
        "[\u2018a\u2019, \u2018b c\u2019]",
        "\u201ca\u201d, \u201cb c\u201d",
        r'"[\"a\", \"b c\"]"',
        r"[\"a\", \"b c\"]",
        "- a\n- b c",
        "\u2022 a\n\u2022 b c\n",
        "[('a', 0.9), ('z', 0.1), ('b c', 0.5)]",
        '[["a", "0.9"], ["z", "0.1"], ["b c", "1"]]',
        '{"labels": ["a", "b c", "z"], "scores": [0.9, 0.8, 0.1]}',
        '{"a": "yes", "b c": "True", "z": "no"}',
        '[{"displayName": "a"}, {"displayName": "b c"}]',
        '[{"slug": "a", "id": 0}, {"slug": "b c", "id": 7}]',
        '[{"Label_Name": "a", "score": 0.9}, {"Label_Name": "b c"}, {"Label_Name": "z", "score": 0.1}]',
        '[{"label": "a", "score": null}, {"label": "b c", "score": null}]',
        '{"/m/01": "a", "/m/02": "b c"}',
        '{"1": "a", "2": "b c"}',
    ],
)
def test_reads_what_tools_print(text: str) -> None:
    assert _given(text) == ["a", "b c"]


@pytest.mark.parametrize("text", ["WrappedArray()", "character(0)", "set()", "[]", "{}"])
def test_reads_empty_lists_of_tools(text: str) -> None:
    assert _given(text) == []


@pytest.mark.parametrize(
    "text", ["function(x)", "list of (a)", "e-mail", "-1", "- ", "\u201ca\u201d said he", "- " + "a" * 99]
)
def test_labels_that_look_a_little_like_lists_are_none(text: str) -> None:
    assert not is_printed(text)


@pytest.mark.parametrize(
    "value",
    [
        [[0, 4, "PERSON"]],
        [["0", "4", "PERSON"], ["6", "9", "PLACE"]],
        [{"start": 0, "end": 4, "label": "PERSON"}],
        [{"start_offset": 0, "end_offset": 4, "label": "PERSON"}],
    ],
)
def test_refuses_labels_of_spans(value: Any) -> None:
    with pytest.raises(ValueError, match="those of spans of the text"):
        judgements(value)


@pytest.mark.parametrize(
    "value", [{"lang": "en"}, {"text": "a text", "tags": ["a"]}, {"toxic": 3}, [{"toxic": "maybe", "insult": 1}]]
)
def test_refuses_objects_that_name_no_label(value: Any) -> None:
    with pytest.raises(ValueError, match="neither scores nor a key that names labels"):
        judgements(value)
