"""Parquet: conversion of its types, and damaged files."""

import datetime
import decimal
import io
from collections.abc import Collection
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.example_gen.formats import parquet_reader
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.format import FileOptions
from components.example_gen.formats.parquet_reader import read_table
from components.example_gen.formats.rows import Cell, Reason, Rejected, Row, Table
from schema.errors import Refused
from tests.components.example_gen import encoders
from tests.components.example_gen.support import accepted, rejected

WANTED = ("text", "labels")


def table(content: bytes, wanted: Collection[str] | None = WANTED) -> Table:
    return read_table(io.BytesIO(content), FileOptions("x.parquet", wanted))


def cells_of(array: pa.Array, **options: Any) -> list[Cell]:
    content = encoders.parquet_table(pa.table({"text": array}), **options)
    return [row.cells[0] for row in accepted(table(content).rows)]


def refusal(content: bytes) -> str:
    with pytest.raises(Refused) as refused:
        table(content)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_reads_only_wanted_columns() -> None:
    read = table(encoders.parquet([{"a": 1, "labels": ["x"], "text": "t", "b": {"c": 1}}]))
    assert (read.columns, read.others) == (("labels", "text"), ("a", "b"))
    assert list(read.rows) == [Row(1, [["x"], "t"], {"labels": ["x"], "text": "t"})]


def test_reads_all_columns_that_cells_can_be_made_of() -> None:
    read = table(encoders.parquet([{"a": 1, "text": "t", "b": {"c": 1}, "d": [["x"]]}]), wanted=None)
    assert (read.columns, read.others) == (("a", "text", "b.c"), ("b", "d"))


_DAY = datetime.datetime(2024, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("array", "cells"),
    [
        (pa.array(["a", None, "é"]), ["a", "", "é"]),
        (pa.array(["a", None], pa.large_string()), ["a", ""]),
        (pa.array(["a", "b", "a", None]).dictionary_encode(), ["a", "b", "a", ""]),
        (pa.array([b"a", "é".encode()]), ["a", "é"]),
        (pa.array([b"ab"], pa.binary(2)), ["ab"]),
        (pa.array([1, None], pa.int8()), ["1", ""]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([0.1, 1.0, None, float("nan"), 1e300]), ["0.1", "1", "", "NaN", "1e+300"]),
        (pa.array([0.1, 1.0, None], pa.float32()), ["0.1", "1", ""]),
        (pa.array(np.array([0.5], np.float16)), ["0.5"]),
        (pa.array([True, False, None]), ["1", "0", ""]),
        (pa.nulls(2), ["", ""]),
        (pa.array([_DAY]), ["2024-01-02 03:04:05.000000"]),
        (pa.array([1], pa.timestamp("ns", "Europe/Berlin")), ["1970-01-01 00:00:00.000000001"]),
        (pa.array([1], pa.timestamp("s", "No/Such")), ["1970-01-01 00:00:01.000"]),
        (pa.array([_DAY.date()]), ["2024-01-02"]),
        (pa.array([decimal.Decimal("1.50")]), ["1.50"]),
        (pa.array([["a", None], None, []]), [["a", ""], "", []]),
        (pa.array([["a"]], pa.large_list(pa.large_string())), [["a"]]),
        (pa.array([["a", "b"]], pa.list_(pa.string(), 2)), [["a", "b"]]),
        (pa.array([[1, 2], [3]]), [["1", "2"], ["3"]]),
        (pa.ListArray.from_arrays([0, 2], pa.array(["a", "b"]).dictionary_encode()), [["a", "b"]]),
    ],
)
def test_converts_values(array: pa.Array, cells: list[Cell]) -> None:
    assert cells_of(array) == cells


def test_refuses_a_wanted_column_of_another_type() -> None:
    assert refusal(encoders.parquet([{"text": {"a": 1}}])) == (
        "x.parquet: column 'text' is of type struct<a: int64>, neither text nor a list of texts; name another column"
    )


def test_refuses_two_columns_of_the_same_name() -> None:
    array = pa.array(["a"])
    content = encoders.parquet_table(pa.Table.from_arrays([array, array], names=["text", "text"]))
    assert refusal(content) == "x.parquet: two columns are named 'text'; rename one"


def test_reads_names_with_dots_as_they_are() -> None:
    content = encoders.parquet([{"text.b": "1", "text": "2", "labels": {"text": "3"}}])
    read = table(content, ("text", "text.b"))
    assert [row.cells for row in accepted(read.rows)] == [["1", "2"]]


@pytest.mark.parametrize("data_type", [pa.binary(), pa.string()])
def test_a_value_that_is_not_utf_8_costs_only_its_row(data_type: pa.DataType) -> None:
    raw = pa.array([b"a", b"caf\xe9", b"b"])
    array = pa.Array.from_buffers(data_type, 3, raw.buffers())
    found = list(table(encoders.parquet_table(pa.table({"text": array}))).rows)
    assert [row.line for row in accepted(found)] == [1, 3]
    assert rejected(found) == [Rejected(2, Reason.INVALID_UTF8, "byte 0xe9 in 'text'", '{"text": "caf\\\\xe9"}')]


def test_a_very_long_value_costs_only_its_row() -> None:
    content = encoders.parquet([{"text": "a"}, {"text": "x" * (MAX_ROW_BYTES + 1)}, {"text": "b"}])
    found = list(table(content).rows)
    assert [row.line for row in accepted(found)] == [1, 3]
    (bad,) = rejected(found)
    assert (bad.line, bad.reason, len(bad.raw)) == (2, Reason.TOO_LONG, 2_000)


def test_numbers_rows_across_batches_and_row_groups() -> None:
    content = encoders.parquet([{"text": str(number)} for number in range(1_000)], row_group_size=300)
    assert [(row.line, row.cells) for row in accepted(table(content).rows)] == [
        (number + 1, [str(number)]) for number in range(1_000)
    ]


def test_reads_large_rows_in_small_batches() -> None:
    content = encoders.parquet([{"text": f"{number}" * 500_000} for number in range(10, 74)], compression="none")
    file = pq.ParquetFile(io.BytesIO(content))
    assert 10 < parquet_reader._batch_rows(file.metadata) < 20


@pytest.mark.parametrize("content", [b"", b"PAR1", b"text,labels\n", b"PAR1" + b"x" * 50 + b"PAR1"])
def test_refuses_a_file_that_is_not_parquet(content: bytes) -> None:
    assert "x.parquet: cannot be read as Parquet (" in refusal(content)


def test_refuses_a_file_that_is_cut_short() -> None:
    content = encoders.parquet([{"text": "a"}])
    for end in range(len(content)):
        assert "x.parquet: cannot be read as Parquet (" in refusal(content[:end])


def test_stops_at_a_corrupt_page() -> None:
    rows = [{"text": f"text {number}"} for number in range(1_000)]
    options = {"row_group_size": 500, "use_dictionary": False, "compression": "none", "write_page_checksum": True}
    content = bytearray(encoders.parquet(rows, **options))
    content[content.index(b"text 700")] ^= 0xFF
    found = list(table(bytes(content)).rows)
    # Rows are read in batches, so the whole batch is lost.
    assert [row.line for row in accepted(found)] == list(range(1, 257))
    (bad,) = rejected(found)
    assert (bad.line, bad.reason) == (257, Reason.DAMAGED)
    assert "\n" not in bad.explanation


def test_does_not_take_a_failing_disk_for_damage() -> None:
    class Failing(io.BytesIO):
        fails = False

        def read(self, size: int | None = -1) -> bytes:
            if self.fails:
                raise OSError(5, "Input/output error")
            return super().read(size)

    stream = Failing(encoders.parquet([{"text": "a"}] * 10))
    read = read_table(cast(BinaryIO, stream), FileOptions("x.parquet", WANTED))
    stream.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        list(read.rows)
