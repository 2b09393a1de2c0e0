"""Tests that data stays data on the console."""

import io
import json

import pytest
from rich.table import Table
from rich.text import Text

from pipeline.console import PlainConsole, print_json

_HOSTILE = "[/b] \x1b[31m\x9b2J :smile: [link=http://example.com]x"
_SHOWN = "[/b] \\x1b[31m\\x9b2J :smile: [link=http://example.com]x"


def _console() -> tuple[PlainConsole, io.StringIO]:
    file = io.StringIO()
    return PlainConsole(file=file, width=200, force_terminal=True, color_system=None), file


def test_shows_markup_and_escape_sequences_as_they_are() -> None:
    console, file = _console()
    table = Table(_HOSTILE, title=_HOSTILE)
    table.add_row(_HOSTILE)
    for shown in (_HOSTILE, Text(_HOSTILE), table):
        console.print(shown)
    assert file.getvalue().count(_SHOWN) == 5
    assert "\x1b[31m" not in file.getvalue()
    assert "\x9b" not in file.getvalue()


def test_keeps_its_own_styles_and_control_codes() -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, color_system="standard")
    console.print(Text("no", style="bold red"))
    console.show_cursor(False)
    assert file.getvalue() == "\x1b[1;31mno\x1b[0m\n\x1b[?25l"


def test_prints_json_that_no_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": _HOSTILE})
    line = capsys.readouterr().out
    assert json.loads(line) == {"text": _HOSTILE}
    assert "\x1b" not in line
    assert "\x9b" not in line
