"""Text in other encodings, decoded as a stream."""

from pathlib import Path

import pytest

from components.example_gen.formats.encoding import check_encoding, decoded
from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Reason
from schema.errors import Refused
from tests.components.example_gen.support import accepted, rejected, settings_for, to_stream, write_file


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "shift_jis", "gb18030", "utf-8"])
def test_decodes_a_stream_in_pieces(encoding: str) -> None:
    text = "a" * 99_991 + ("\u5b57" if encoding[0] in "sgu" else "\u00e9") * 3
    assert decoded(to_stream(text.encode(encoding)), encoding, "a.csv").read() == text.encode()


def test_drops_a_byte_order_mark() -> None:
    assert decoded(to_stream(b"\xff\xfea\0"), "utf-16-le", "a.csv").read() == b"a"


@pytest.mark.parametrize(
    ("encoding", "invalid"), [("cp1252", b"\x81"), ("utf-16-le", b"\x00\xd8"), ("shift_jis", b"\xff")]
)
def test_an_invalid_byte_costs_its_row(tmp_path: Path, encoding: str, invalid: bytes) -> None:
    lines = ["text,labels\n", "one,a\n", "tw", "o,b\n", "three,c\n"]
    encoded = [line.encode(encoding) for line in lines]
    path = write_file(tmp_path / "a.csv", b"".join([*encoded[:3], invalid, *encoded[3:]]))
    with open_table(str(path), settings_for(tmp_path, encoding=encoding), "a.csv") as table:
        rows = list(table.rows)
    assert [row.cells for row in accepted(rows)] == [["one", "a"], ["three", "c"]]
    assert [row.reason for row in rejected(rows)] == [Reason.INVALID_UTF8]


def test_knows_encodings_by_their_other_names() -> None:
    assert check_encoding("Windows-1252") == "cp1252"


def test_refuses_a_file_of_another_encoding_altogether() -> None:
    with pytest.raises(Refused, match=r"a\.csv: is not utf-16 .*; set examples\.encoding to another one"):
        decoded(to_stream(b"text,labels"), "utf-16", "a.csv").read()
