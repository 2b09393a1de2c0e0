"""JSON Lines: which lines are valid, how they are read, and what a broken line costs."""

import io
import json
from collections.abc import Collection

import pytest

from components.example_gen.formats import json_values, keyed
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.format import FileOptions
from components.example_gen.formats.json_lines import read_table
from components.example_gen.formats.rows import Cell, Reason, Rejected, Row, Table
from schema.errors import Refused
from tests.components.example_gen.support import accepted, rejected, to_stream

VALID = b'{"text": "a", "labels": []}\n'
WANTED = ("text", "labels")


def table(content: bytes, wanted: Collection[str] | None = WANTED) -> Table:
    return read_table(to_stream(content), FileOptions("x.jsonl", wanted))


def rows(content: bytes, wanted: Collection[str] | None = WANTED) -> list[Row | Rejected]:
    return list(table(content, wanted).rows)


def cells(content: bytes, wanted: Collection[str] | None = WANTED) -> list[list[Cell]]:
    return [row.cells for row in accepted(rows(content, wanted))]


def second_line(line: bytes) -> Rejected:
    """Return the rejected row of a broken line between two valid ones."""
    found = rows(VALID + line + b"\n" + VALID)
    assert [row.line for row in accepted(found)] == [1, 3]
    (bad,) = rejected(found)
    assert bad.line == 2
    return bad


class TestWellFormed:
    def test_takes_columns_from_keys_in_the_order_they_appear(self) -> None:
        read = table(b'{"labels": ["x"], "extra": 1}\n{"text": "a", "other": 2}\n')
        assert (read.columns, read.others) == (("labels", "text"), ("extra", "other"))
        assert [row.cells for row in accepted(read.rows)] == [[["x"], None], [None, "a"]]

    def test_reads_all_columns(self) -> None:
        read = table(b'{"a": "1", "b": {"c": 2}}\n', wanted=None)
        assert (read.columns, read.others) == (("a", "b", "b.c"), ())
        assert [row.cells for row in accepted(read.rows)] == [["1", None, "2"]], "an object counts as missing"

    @pytest.mark.parametrize(
        ("written", "cell"),
        [
            ('"a"', "a"),
            ("null", ""),
            ("true", "1"),
            ("false", "0"),
            ("1.0", "1"),
            ("-1.50", "-1.5"),
            ("12345678901234567890", "12345678901234567890"),
            ("9" * 5000, "9" * 5000),
            ("1e999", "1e999"),
            ("1e3", "1000"),
            ('["a", null, 1.0, true]', ["a", "", "1", "1"]),
            ("[]", []),
            (r'"\ud83d\ude00\u0000"', "😀\0"),
        ],
    )
    def test_converts_cells(self, written: str, cell: Cell) -> None:
        assert cells(f'{{"text": {written}}}\n'.encode()) == [[cell]]

    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_skips_blank_lines(self, end: bytes) -> None:
        content = b"\xef\xbb\xbf" + end + VALID.rstrip() + end + b" \t" + end + VALID.rstrip()
        assert [row.line for row in accepted(rows(content))] == [2, 4]

    def test_other_line_separators_are_data(self) -> None:
        assert cells('{"text": "a\u2028b\x85c"}\n'.encode()) == [["a\u2028b\x85c"]]

    def test_keeps_the_line_as_raw_bytes(self) -> None:
        assert accepted(rows(VALID))[0].raw == VALID

    def test_ignores_a_key_that_first_appears_below_the_head(self) -> None:
        content = b'{"text": "a"}\n' * 1_000 + VALID
        read = table(content)
        assert read.columns == ("text",)
        assert len(accepted(read.rows)) == 1_001

    def test_bounds_the_head_in_bytes(self) -> None:
        line = json.dumps({"text": "x" * 1_000_000}).encode() + b"\n"
        stream = to_stream(line * 20)
        read = read_table(stream, FileOptions("x.jsonl", WANTED))
        assert stream.tell() < keyed._HEAD_BYTES + 3 * len(line)
        assert len(accepted(read.rows)) == 20


class TestBroken:
    @pytest.mark.parametrize(
        ("line", "explanation"),
        [
            (b'{"text": "caf\xe9"}', "invalid UTF-8: byte 0xe9 at byte 14 of the line"),
            (b'{"text": "\xed\xa0\x80"}', "invalid UTF-8: byte 0xed at byte 11 of the line"),
            (rb'{"text": "\ud800"}', r"invalid UTF-8: half a surrogate pair, \ud800"),
            (rb'{"\uDC00": 1}', r"invalid UTF-8: half a surrogate pair, \udc00"),
            (rb'{"\ud800": 1, "\ud800": 2}', r"not a JSON object: key '\ud800' twice"),
            (b'{"text": "a", "text": "b"}', "not a JSON object: key 'text' twice"),
            (b'{"text": NaN}', "not a JSON object: NaN is not valid JSON"),
            (b'{"text": [-Infinity]}', "not a JSON object: -Infinity is not valid JSON"),
            (b'{"text": "a"', "not a JSON object: Expecting ',' delimiter at character 13"),
            (b'{"text": "a"} {}', "not a JSON object: Extra data at character 15"),
            (b'{"text": "a\tb"}', "not a JSON object: Invalid control character at at character 12"),
            (b"[1]", "not a JSON object: it is an array"),
            (b"7", "not a JSON object: it is a string or a number"),
            (b"null", "not a JSON object: it is null"),
            (b"[" * 200_000, "not a JSON object: nested too deeply"),
            (b'{"a":' * 100_000, "not a JSON object: nested too deeply"),
            (b'{"text": {"a": 1}}', "not a string: 'text' holds an object"),
            (b'{"text": [["a"]]}', "not a string: 'text' holds a list of lists or objects"),
        ],
    )
    def test_a_broken_line_costs_no_other_line(self, line: bytes, explanation: str) -> None:
        bad = second_line(line)
        assert bad.explanation == explanation
        assert bad.raw.encode()

    def test_accepts_any_value_in_an_unused_column(self) -> None:
        assert len(accepted(rows(b'{"text": "a", "meta": {"a": [[1]]}}\n'))) == 1

    def test_skips_a_very_long_line(self) -> None:
        bad = second_line(b'{"text": "' + b"x" * (3 * MAX_ROW_BYTES) + b'"}')
        assert (bad.reason, len(bad.raw)) == (Reason.TOO_LONG, 2_000)

    def test_reads_a_line_of_exactly_the_maximum_size(self) -> None:
        line = b'{"text": "' + b"x" * (MAX_ROW_BYTES - 13) + b'"}\n'
        assert len(line) == MAX_ROW_BYTES
        assert len(accepted(rows(line + VALID))) == 2
        assert second_line(b" " + line.rstrip()).reason is Reason.TOO_LONG

    def test_rejects_a_stream_that_breaks_off_as_damaged(self) -> None:
        class Broken(io.BufferedReader):
            def readline(self, size: int | None = -1) -> bytes:
                line = super().readline(size)
                if not line:
                    raise EOFError("ended early")
                return line

        found = list(read_table(Broken(io.BytesIO(VALID * 3)), FileOptions("x.jsonl", WANTED)).rows)
        assert [row.line for row in accepted(found)] == [1, 2, 3]
        assert [row.explanation for row in rejected(found)] == ["damaged data: ended early"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", ": the file is empty; remove it or fill it"),
            (b"\n \n", ": the file is empty; remove it or fill it"),
            (b"text\na\n", ":1: neither this row nor one after it can be read (not a JSON object: Expecting value at"),
        ],
    )
    def test_refuses_an_unreadable_head(self, content: bytes, message: str) -> None:
        with pytest.raises(Refused) as refused:
            table(content)
        assert str(refused.value).startswith(f"x.jsonl{message}")


class TestValuesNotOnePerLine:
    def test_reads_an_array_of_objects(self) -> None:
        found = rows(b'\xef\xbb\xbf [{"text": "a]", "labels": ["\\"", "x"]},\n {"text": "b", "labels": []}\n]\n')
        assert [row.cells for row in accepted(found)] == [["a]", ['"', "x"]], ["b", []]]
        assert [row.line for row in accepted(found)] == [1, 2]

    def test_reads_objects_printed_over_several_lines(self) -> None:
        found = rows(b'{\n "text": "a",\n "labels": []\n}\n\n{\n "text": "b"\n}')
        assert [(row.line, row.cells[0]) for row in accepted(found)] == [(1, "a"), (6, "b")]

    def test_finds_the_ends_of_values_wherever_they_are_read_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = json.dumps([{"text": '\\"]},{[' * n, "labels": ["a\\", {}]} for n in range(4)], indent=1).encode()
        expected = list(json_values.read_values(io.BytesIO(content)))
        assert [json.loads(row[1]) for row in expected if isinstance(row, tuple)] == json.loads(content)
        for size in (1, 2, 3, 7):
            monkeypatch.setattr(json_values, "_CHUNK_BYTES", size)
            assert list(json_values.read_values(io.BytesIO(content))) == expected

    def test_a_broken_value_costs_no_other(self) -> None:
        found = rows(b'[{"text": "a"}, {"text": NaN}, 3,\n {text: 1}, ["x"], {"text": "\xff"}, {"text": "b"}]')
        assert [row.cells[0] for row in accepted(found)] == ["a", "b"]
        assert [(row.line, row.reason) for row in rejected(found)] == [
            (1, Reason.NOT_JSON), (1, Reason.NOT_JSON), (2, Reason.NOT_JSON), (2, Reason.NOT_JSON),
            (2, Reason.INVALID_UTF8),
        ]  # fmt: skip

    def test_a_value_that_is_too_long_costs_no_other(self) -> None:
        long = b'{"text": "' + b"\n" * (3 * MAX_ROW_BYTES) + b'"}'
        found = rows(b'[{"text": "a"},' + long + b',{"text": "b"}]')
        assert [(row.line, row.cells[0]) for row in accepted(found)] == [(1, "a"), (3 * MAX_ROW_BYTES + 1, "b")]
        assert [row.reason for row in rejected(found)] == [Reason.TOO_LONG]

    @pytest.mark.parametrize("end", [b"", b'{"text": "b', b'{"text": "b"'])
    def test_an_array_that_is_cut_short_is_damaged(self, end: bytes) -> None:
        found = rows(b'[{"text": "a"},' + end)
        assert [row.cells[0] for row in accepted(found)] == ["a"]
        assert [row.reason for row in rejected(found)] == [Reason.DAMAGED]

    def test_fields_of_objects_are_columns(self) -> None:
        content = b'{"data": {"text": "a", "n": {"x": "y"}}}\n'
        assert table(content, wanted=None).columns == ("data", "data.text")
        assert [row.cells for row in accepted(rows(content, ["data.text"]))] == [["a"]]
