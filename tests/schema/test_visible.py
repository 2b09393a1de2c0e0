"""Tests of control characters in texts that a person reads."""

import json

import pytest

from schema.visible import in_one_line, visible, visible_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),  # CSI in one character
        ("up\rdown", "up\\rdown"),
        ("\ud800", "\\ud800"),
        ("a\u202eb", "a\\u202eb"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("中文 é naïve 👩\u200d💻 a\u00a0b", "中文 é naïve 👩\u200d💻 a\u00a0b"),
    ],
)
def test_shows_control_characters(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_keeps_a_name_with_line_breaks_on_one_line() -> None:
    assert in_one_line("rows\n.csv\t") == "rows\\n.csv\\t"


def test_escaped_json_means_the_same() -> None:
    value = {"label": "\x1b[2J \x9b2J \x7f \u202e 中"}
    text = visible_json(json.dumps(value, ensure_ascii=False))
    assert visible(text) == text
    assert json.loads(text) == value
