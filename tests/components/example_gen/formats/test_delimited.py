"""CSV and TSV: where rows begin and end, what they hold, and what a broken row costs."""

import csv
import io
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen.formats.delimited import MAX_ROW_BYTES, read_rows, read_table
from components.example_gen.formats.format import FileOptions
from components.example_gen.formats.rows import Cell, Reason, Rejected, Row
from components.example_gen.formats.sniffing import BYTE_ORDER_MARK
from schema.errors import Refused
from tests.components.example_gen.support import accepted, rejected, to_stream


def read(content: bytes, delimiter: str = ",", quoting: bool = True) -> list[Row | Rejected]:
    return list(read_rows(to_stream(content), delimiter, quoting))


def cells(content: bytes, delimiter: str = ",", quoting: bool = True) -> list[list[Cell]]:
    return [row.cells for row in accepted(read(content, delimiter, quoting))]


def lines(content: bytes) -> list[int]:
    return [row.line for row in read(content)]


class TestWellFormed:
    def test_quoted_delimiters_quotes_and_newlines_are_data(self) -> None:
        assert cells(b'a,"b,c","d ""e""","f\ng"\n') == [["a", "b,c", 'd "e"', "f\ng"]]

    def test_numbers_a_row_by_the_line_on_which_it_begins(self) -> None:
        assert lines(b'a,"one\ntwo\nthree"\n\nb,c\n') == [1, 5]

    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n"])
    def test_line_ends_are_not_data(self, end: bytes) -> None:
        assert cells(b"a,b" + end + b"c,d" + end) == [["a", "b"], ["c", "d"]]

    def test_reads_a_last_line_without_line_end(self) -> None:
        assert cells(b"a,b\nc,d") == [["a", "b"], ["c", "d"]]

    def test_drops_a_byte_order_mark(self) -> None:
        assert cells(b'\xef\xbb\xbf"a",b\n') == [["a", "b"]]

    def test_a_lone_carriage_return_is_data(self) -> None:
        assert cells(b'a\rb,"c\rd",e\n') == [["a\rb", "c\rd", "e"]]

    def test_keeps_crlf_inside_quotes(self) -> None:
        assert cells(b'"a\r\nb",c\r\n') == [["a\r\nb", "c"]]

    def test_nul_is_data(self) -> None:
        assert cells(b"a\0b,c\n") == [["a\0b", "c"]]

    def test_skips_blank_lines(self) -> None:
        assert lines(b"\na,b\n\r\n\nc,d\n\n") == [2, 5]

    def test_a_quote_inside_an_unquoted_field_is_data(self) -> None:
        assert cells(b'5" disk,b\n') == [['5" disk', "b"]]

    def test_other_line_separators_are_data(self) -> None:
        text = "a\u2028b\x0bc\x85d"
        assert cells(f"{text},e\n".encode()) == [[text, "e"]]

    def test_without_quoting_a_quote_is_an_ordinary_character(self) -> None:
        content = b'"Hi" he said\t2,3\tab1\n"\t\tab2\r\n'
        assert cells(content, "\t", quoting=False) == [['"Hi" he said', "2,3", "ab1"], ['"', "", "ab2"]]


class TestBroken:
    def test_an_invalid_byte_costs_only_its_row(self) -> None:
        rows = read(b"a,b\ncaf\xe9,c\nd,e\n")
        assert [row.line for row in rows] == [1, 2, 3]
        (bad,) = rejected(rows)
        assert bad.reason is Reason.INVALID_UTF8
        assert bad.explanation == "invalid UTF-8: byte 0xe9 on line 2"
        assert bad.raw == "caf\\xe9,c"

    def test_finds_an_invalid_byte_in_a_later_line_of_a_row(self) -> None:
        (bad,) = rejected(read(b'"a\n\xff",b\nc,d\n'))
        assert (bad.line, bad.detail) == (1, "byte 0xff on line 2")

    def test_text_after_a_closing_quote_costs_only_its_row(self) -> None:
        rows = read(b'a,"he said "hi" there"\nb,c\n')
        assert isinstance(rows[0], Rejected)
        assert rows[0].reason is Reason.MALFORMED_QUOTE
        assert accepted(rows) == [Row(2, ["b", "c"], b"b,c\n")]

    def test_an_unterminated_quote_costs_only_its_line(self) -> None:
        body = b"".join(b"row %d,x\n" % number for number in range(1000))
        rows = read(b'a,b\nc,"d\n' + body)
        (bad,) = rejected(rows)
        assert (bad.line, bad.reason, bad.raw) == (2, Reason.UNTERMINATED_QUOTE, 'c,"d')
        assert [row.line for row in accepted(rows)] == [1, *range(3, 1003)]

    def test_bounds_the_search_for_a_closing_quote(self) -> None:
        body = b"".join(b"row %d,x\n" % number for number in range(MAX_ROW_BYTES // 8))
        rows = read(b'c,"d\n' + body)
        (bad,) = rejected(rows)
        assert bad.explanation == f"unterminated quote: no quote closes it within {MAX_ROW_BYTES} bytes"
        assert len(accepted(rows)) == MAX_ROW_BYTES // 8

    def test_reads_lines_again_if_a_later_line_reveals_the_error(self) -> None:
        rows = read(b'a,"b\nc,d\n"e",f\ng,h\n')
        assert [bad.line for bad in rejected(rows)] == [1]
        assert [row.cells for row in accepted(rows)] == [["c", "d"], ["e", "f"], ["g", "h"]]

    def test_skips_a_very_long_line(self) -> None:
        rows = read(b"a,b\n" + b"x" * (3 * MAX_ROW_BYTES) + b"\nc,d\n")
        (bad,) = rejected(rows)
        assert (bad.line, bad.reason, len(bad.raw)) == (2, Reason.TOO_LONG, 2000)
        assert [row.line for row in accepted(rows)] == [1, 3]

    def test_skips_a_very_long_line_inside_an_open_quote(self) -> None:
        rows = read(b'"a\n' + b"x" * (3 * MAX_ROW_BYTES) + b"\nc,d\n")
        assert [(bad.line, bad.reason) for bad in rejected(rows)] == [
            (1, Reason.UNTERMINATED_QUOTE),
            (2, Reason.TOO_LONG),
        ]
        assert [row.line for row in accepted(rows)] == [3]

    def test_reads_a_row_of_exactly_the_maximum_size(self) -> None:
        fits = b"x" * (MAX_ROW_BYTES - 3) + b",b\n"
        assert len(accepted(read(fits))) == 1
        assert rejected(read(b"x" + fits))[0].reason is Reason.TOO_LONG


class TestTable:
    def test_takes_columns_from_the_header(self) -> None:
        table = read_table(to_stream(b"\xef\xbb\xbfid, text ,labels\n1,a,b\n"), FileOptions("x.csv"), ",")
        assert table.columns == ("id", "text", "labels")
        assert [row.line for row in table.rows] == [2]

    def test_takes_columns_from_the_settings_if_there_is_no_header(self) -> None:
        table = read_table(to_stream(b"a,b\n"), FileOptions("x.csv", columns=("text", "labels")), ",")
        assert table.columns == ("text", "labels")
        assert [row.line for row in table.rows] == [1]

    def test_rejects_a_row_with_another_number_of_fields(self) -> None:
        table = read_table(to_stream(b'text,labels\na\nb,c\n"d\ne",f,g\n'), FileOptions("x.csv"), ",")
        assert [row.explanation if isinstance(row, Rejected) else row.cells for row in table.rows] == [
            "wrong number of fields: 1 instead of 2",
            ["b", "c"],
            "wrong number of fields: 3 instead of 2 (the row spans 2 lines)",
        ]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "x.csv: the file is empty"),
            (b"\n\r\n", "x.csv: the file is empty"),
            (b"t\xe9xt,labels\na,b\n", "x.csv:1: the header cannot be read (invalid UTF-8: byte 0xe9 on line 1)"),
            (b'"text,labels\na,b\n', "x.csv:1: the header cannot be read (unterminated quote"),
            (b"text,labels\ra,b\r", "x.csv: its lines end with only a carriage return"),
        ],
    )
    def test_refuses_an_unreadable_header(self, content: bytes, message: str) -> None:
        with pytest.raises(Refused) as refused:
            read_table(to_stream(content), FileOptions("x.csv"), ",")
        assert str(refused.value).startswith(message)


FIELD = st.text(st.characters(codec="utf-8"), max_size=12) | st.text('",\r\n\0 ab', max_size=12)
WORDS = st.from_regex(r"[a-z][a-z \n,\"]{0,8}", fullmatch=True)


def table_of(fields: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    widths = st.integers(2, 4)
    return widths.flatmap(lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), max_size=8))


def write_csv(rows: Sequence[Sequence[str]], delimiter: str, end: str, quoting: int) -> tuple[bytes, list[int]]:
    """Return rows as csv.writer writes them below a header, and the line on which each begins."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    sink.write("header" + end)
    begins = []
    for row in rows:
        begins.append(sink.getvalue().count("\n") + 1)
        writer.writerow(row)
    return sink.getvalue().encode(), begins


@given(
    rows=table_of(FIELD),
    delimiter=st.sampled_from([",", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_reads_back_what_the_csv_module_writes(rows: list[list[str]], delimiter: str, end: str, quoting: int) -> None:
    if end == "\n" and quoting == csv.QUOTE_MINIMAL:
        # csv leaves a carriage return unquoted here; at the end of a row it looks like a line end.
        rows = [[*row[:-1], row[-1].rstrip("\r")] for row in rows]
    content, begins = write_csv(rows, delimiter, end, quoting)
    read_back = read(content, delimiter)[1:]
    assert rejected(read_back) == []
    assert [row.cells for row in accepted(read_back)] == rows
    assert [row.line for row in read_back] == begins


@given(rows=table_of(WORDS), broken=st.sampled_from([b'x,"y\n', b'"x"y,z\n', b'x,"y"z"\n']), data=st.data())
def test_a_broken_row_costs_no_other_row(rows: list[list[str]], broken: bytes, data: st.DataObject) -> None:
    parts = [write_csv([row], ",", "\n", csv.QUOTE_ALL)[0].removeprefix(b"header\n") for row in rows]
    index = data.draw(st.integers(0, len(parts)))
    rows_read = read(b"".join([*parts[:index], broken, *parts[index:]]))
    (bad,) = rejected(rows_read)
    assert bad.line == 1 + b"".join(parts[:index]).count(b"\n")
    assert [row.cells for row in accepted(rows_read)] == rows


@given(content=st.binary(max_size=200) | st.text('a,"\r\n', max_size=60).map(str.encode), quoting=st.booleans())
@settings(max_examples=300)
def test_reads_any_bytes_to_the_end_in_order(content: bytes, quoting: bool) -> None:
    begins = [row.line for row in read(content, ",", quoting)]
    assert all(line < following for line, following in itertools.pairwise(begins))
    assert all(1 <= line <= content.count(b"\n") + 1 for line in begins)
    if not quoting:
        assert len(begins) == sum(bool(line.removesuffix(b"\r")) for line in _lines_of(content))


@given(content=st.text('a,"\r\n', max_size=60).map(str.encode))
@settings(max_examples=300)
def test_agrees_with_the_csv_module_in_strict_mode(content: bytes) -> None:
    lone_cr = b"\r" in content.replace(b"\r\n", b"")
    try:
        expected = [row for row in csv.reader(io.StringIO(content.decode(), newline=""), strict=True) if row]
    except csv.Error:
        return
    if not lone_cr:  # csv takes one at the end of a file for a line end
        assert cells(content) == expected


def _lines_of(content: bytes) -> list[bytes]:
    return content.removeprefix(BYTE_ORDER_MARK).split(b"\n")


@pytest.mark.parametrize(
    ("content", "separator", "swallowed"),
    [
        (b't,l,n\n"one,a,1\ntwo,b,2\nthree",c,3\n', ",", [2]),
        (b't\tl\n"one\ta\ntwo"\tb\n', "\t", [1]),
        (b't,l\n"one,a\ntwo",b\n', ",", [1]),
        (b't,l\n"Dear Sir,\nhello, Bob\nYours",a\n', ",", [0]),
        (b't,l,n\n"one\ntwo",b,2\n', ",", [0]),
    ],
)
def test_counts_rows_that_a_stray_quote_may_have_swallowed(
    content: bytes, separator: str, swallowed: list[int]
) -> None:
    rows = accepted(read_table(to_stream(content), FileOptions("x.csv"), separator).rows)
    assert [row.swallowed for row in rows] == swallowed


def test_a_line_that_names_the_separator_is_not_a_row() -> None:
    content = b"\xef\xbb\xbfsep=;\r\ntext;labels\r\na;b\r\n"
    table = read_table(to_stream(content), FileOptions("x.csv", separator=";"), ",")
    assert (table.columns, [row.cells for row in accepted(table.rows)]) == (("text", "labels"), [["a", "b"]])
    with pytest.raises(Refused, match=r"x\.csv: its first line says that ';' separates fields"):
        read_table(to_stream(content), FileOptions("x.csv"), ",")


def test_an_escape_makes_a_quote_an_ordinary_character() -> None:
    content = b'text,labels\n"he said \\"no, not now\\", twice",a\n'
    table = read_table(to_stream(content), FileOptions("x.csv", escape="\\"), ",")
    assert [row.cells for row in accepted(table.rows)] == [['he said "no, not now", twice', "a"]]


def test_explains_a_malformed_quote_without_control_characters() -> None:
    (bad,) = rejected(read_rows(to_stream(b'"x"y\tz\n'), "\t"))
    assert bad.explanation == "malformed quote: '\\t' expected after '\"'"
