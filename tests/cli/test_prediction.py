"""Texts that `predict` classifies, from options, files and standard input."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.prediction import chosen_texts
from schema.errors import Refused


def test_takes_the_lines_of_a_file_that_are_not_blank(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufefffirst\r\n\n  \nsecond\u2028still second\n  third ".encode())
    assert chosen_texts((), str(path)) == ["first", "second\u2028still second", "  third "]


def test_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"one\ntwo\n")))
    assert chosen_texts((), "-") == ["one", "two"]


def test_takes_the_texts_of_the_command_line_as_they_are() -> None:
    assert chosen_texts(["", "two\nlines"], None) == ["", "two\nlines"]


def test_names_the_line_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(Refused, match=r"texts\.txt:2: is not UTF-8"):
        chosen_texts((), str(path))


@pytest.mark.parametrize(
    ("texts", "file", "pairs", "message"),
    [
        ([], None, [], "give either --text"),
        (["a"], "-", [], "give either --text"),
        ([], "-", ["b"], "--file holds single texts"),
        ([], "/nowhere", [], "/nowhere: cannot be read .no such file"),
        ([], "/dev/null", [], "/dev/null: has no text"),
    ],
)
def test_refuses_what_it_cannot_classify(texts: list[str], file: str | None, pairs: list[str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        chosen_texts(texts, file, pairs)
