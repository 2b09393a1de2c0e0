"""TFRecord: framing, and conversion of tf.Examples."""

import random
import struct
from collections.abc import Collection
from pathlib import Path

import pytest
import tensorflow as tf

from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.format import FileOptions
from components.example_gen.formats.framing import masked_checksum, read_records
from components.example_gen.formats.rows import Reason, Rejected, Row, Table
from components.example_gen.formats.tfrecord import read_table
from schema.errors import Refused
from tests.components.example_gen import encoders
from tests.components.example_gen.support import accepted, rejected, to_stream

WANTED = ("text", "labels")


def table(content: bytes, wanted: Collection[str] | None = WANTED) -> Table:
    return read_table(to_stream(content), FileOptions("x.tfrecord", wanted))


def rows(*records: bytes) -> list[Row | Rejected]:
    return list(table(encoders.tfrecord(records)).rows)


class TestFraming:
    def test_reads_what_tensorflow_writes(self, tmp_path: Path) -> None:
        path = tmp_path / "x.tfrecord"
        records = [b"", b"a", bytes(range(256)) * 1000]
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)
        assert list(read_records(to_stream(path.read_bytes()))) == records
        assert path.read_bytes() == encoders.tfrecord(records)

    def test_detects_every_truncation(self) -> None:
        content = encoders.tfrecord([b"one", b"three"])
        ends = {0: 0, len(encoders.frame(b"one")): 1, len(content): 2}
        for end in range(len(content) + 1):
            found = list(read_records(to_stream(content[:end])))
            if end in ends:
                assert len(found) == ends[end]
            else:
                assert isinstance(found[-1], Rejected)
                assert found[-1].explanation == "damaged data: the file ends within a record"

    def test_detects_every_flipped_bit(self) -> None:
        content = encoders.tfrecord([b"one", b"three"])
        for bit in range(8 * len(content)):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            *before, last = read_records(to_stream(bytes(flipped)))
            assert isinstance(last, Rejected)
            assert last.reason is Reason.DAMAGED
            assert last.line == len(before) + 1
            assert before == [b"one"][: len(before)]

    def test_skips_a_very_long_record(self) -> None:
        found = list(read_records(to_stream(encoders.tfrecord([b"x" * (3 * MAX_ROW_BYTES + 1), b"a"]))))
        assert isinstance(found[0], Rejected)
        assert (found[0].line, found[0].reason, len(found[0].raw)) == (1, Reason.TOO_LONG, 2_000)
        assert found[1:] == [b"a"]

    def test_reads_a_record_of_exactly_the_maximum_size(self) -> None:
        record = b"x" * MAX_ROW_BYTES
        assert list(read_records(to_stream(encoders.frame(record)))) == [record]

    def test_stops_at_an_implausible_length(self) -> None:
        length = struct.pack("<Q", 2**64 - 1)
        content = length + struct.pack("<I", masked_checksum(length)) + b"x" * 100
        (bad,) = read_records(to_stream(content))
        assert isinstance(bad, Rejected)
        assert bad.explanation == "damaged data: the file ends within a record"


class TestExamples:
    def test_reads_every_value_as_a_list(self) -> None:
        record = encoders.example({"text": "é", "labels": ["a", "b"], "n": [1, 2], "x": [0.1, 1.0], "none": []})
        read = table(encoders.frame(record), wanted=None)
        (row,) = accepted(read.rows)
        values = dict(zip(read.columns, row.cells, strict=True))
        assert values == {"text": ["é"], "labels": ["a", "b"], "n": ["1", "2"], "x": ["0.1", "1"], "none": []}
        assert row.raw == values

    def test_takes_columns_from_features(self) -> None:
        record = encoders.example({"text": "a", "extra": 1})
        read = table(encoders.tfrecord([record, encoders.example({"text": "b", "labels": "x"})]))
        assert (read.columns, read.others) == (("labels", "text"), ("extra",)), (
            "sorted, since the features of a protocol buffer have no order"
        )
        assert [row.cells for row in accepted(read.rows)] == [[None, ["a"]], [["x"], ["b"]]]

    def test_bytes_that_are_not_utf_8_cost_only_their_row(self) -> None:
        good = encoders.example({"text": "a"})
        found = rows(good, encoders.example({"text": b"caf\xe9"}), good)
        assert [row.line for row in accepted(found)] == [1, 3]
        (bad,) = rejected(found)
        assert (bad.line, bad.explanation) == (2, "invalid UTF-8: byte 0xe9 in 'text'")
        assert "caf" in bad.raw

    @pytest.mark.parametrize("record", [b"", b"\xff\xff", b"some text", b"\x12\x03abc"])
    def test_a_record_that_is_not_an_example_costs_only_its_row(self, record: bytes) -> None:
        good = encoders.example({"text": "a"})
        found = rows(good, record, good)
        assert [row.line for row in accepted(found)] == [1, 3]
        assert [(bad.line, bad.reason) for bad in rejected(found)] == [(2, Reason.NOT_A_RECORD)]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "x.tfrecord: the file is empty; remove it or fill it"),
            (b"text,labels\na,b\n", "checksum of a record's length is wrong); replace the file"),
            (encoders.frame(b"text"), "(not a tf.Example: it has no features); check examples.format"),
        ],
    )
    def test_refuses_an_unreadable_head(self, content: bytes, message: str) -> None:
        with pytest.raises(Refused) as refused:
            table(content)
        assert message in str(refused.value)

    def test_reads_or_rejects_random_records(self) -> None:
        generator = random.Random(7)
        records = [generator.randbytes(generator.randrange(40)) for _ in range(2_000)]
        assert len(rows(encoders.example({"text": "a"}), *records)) == 2_001
