"""Properties of every input format: no row is lost, and the result is rows, rejected rows or a refusal."""

import random
import tracemalloc
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.example_gen.check import check_inputs
from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.parsing.columns import find_columns
from components.example_gen.parsing.labels import make_label_parser
from components.example_gen.parsing.row_parser import LabelledText, RowParser
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused
from tests.components.example_gen import encoders
from tests.components.example_gen.support import accepted, rejected, settings_for, write_file

FORMATS = tuple(encoders.SUFFIXES)
STREAMED = tuple(name for name in FORMATS if name != "parquet")
ROWS = [{"id": f"k{number}", "text": f"text {number}\u2028é", "labels": "joy|anger"} for number in range(300)]
CONTENT = {name: encoders.encode(ROWS, name) for name in FORMATS}
GZIPPED = {name: encoders.gzipped(CONTENT[name]) for name in STREAMED}

# Every example writes a file of its own; without a deadline, since a busy machine may take long.
few_examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def settings_of(base: Path, file_format: str, **changes: Any) -> ExamplesSettings:
    inputs = [{"pattern": "data*", "split": {"train": 8, "eval": 1, "test": 1}}]
    return settings_for(base, **({"format": file_format, "id": "id", "inputs": inputs} | changes))


def write_data(base: Path, file_format: str, content: bytes, suffix: str = "") -> Path:
    return write_file(base / f"data{encoders.SUFFIXES[file_format]}{suffix}", content)


def read(path: Path, file_format: str, **changes: Any) -> list[Row | Rejected]:
    config = settings_of(path.parent, file_format, **changes)
    with open_table(str(path), config, path.name, columns=config.used_columns) as table:
        return list(table.rows)


def parse_file(path: Path, file_format: str) -> list[LabelledText | Rejected] | None:
    """Parse every row of a file that was checked before; return None if the reader refuses it."""
    config = settings_of(path.parent, file_format)
    try:
        check_inputs(config)
    except Refused as refused:
        _check_one_printable_line(str(refused))
    try:
        with open_table(str(path), config, path.name, columns=config.used_columns) as table:
            layout = find_columns(table.columns, config, path.name, others=table.others)
            parser = RowParser(path.name, layout, make_label_parser(config.labels))
            rows = [row if isinstance(row, Rejected) else parser.parse(row) for row in table.rows]
    except Refused as refused:
        _check_one_printable_line(str(refused))
        return None
    for row in rows:
        if isinstance(row, Rejected):
            row.explanation.encode()
            row.raw.encode()
        else:
            "".join([row.id, row.text, *row.labels]).encode()
    return rows


def _check_one_printable_line(message: str) -> None:
    message.encode()
    assert "\n" not in message


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_the_same_rows_from_every_format(tmp_path: Path, file_format: str, suffix: str) -> None:
    if suffix and file_format == "parquet":
        return
    path = write_data(tmp_path, file_format, (GZIPPED if suffix else CONTENT)[file_format], suffix)
    found = parse_file(path, file_format)
    assert found == [LabelledText(row["id"], row["text"], ["joy", "anger"], []) for row in ROWS]


@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_a_remote_file(file_format: str) -> None:
    # TensorFlow's file system in memory, whose paths have a scheme.
    path = f"ram://{uuid.uuid4().hex}/data{encoders.SUFFIXES[file_format]}"
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(CONTENT[file_format])
    with open_table(path, settings_of(Path("d"), file_format), "data") as table:
        assert len(accepted(table.rows)) == len(ROWS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_the_wanted_columns_or_all_of_them(tmp_path: Path, file_format: str) -> None:
    path = write_data(tmp_path, file_format, CONTENT[file_format])
    config = settings_of(tmp_path, file_format, id=None)
    with open_table(str(path), config, "data", columns=config.used_columns) as table:
        assert {*table.columns, *table.others} == {"id", "text", "labels"}
        assert ("id" in table.others) == (file_format not in ("csv", "tsv"))
    with open_table(str(path), config, "data") as table:
        assert (set(table.columns), table.others) == ({"id", "text", "labels"}, ())


@pytest.mark.parametrize("file_format", FORMATS)
def test_refuses_a_folder_a_missing_and_an_empty_file(tmp_path: Path, file_format: str) -> None:
    empty = write_file(tmp_path / "empty", b"")
    for path, message in [(tmp_path, "is a folder"), (tmp_path / "none", "no such file"), (empty, "empty|0 bytes")]:
        with pytest.raises(Refused, match=message):
            read(path, file_format)


def test_refuses_to_open_a_query_as_a_file(tmp_path: Path) -> None:
    config = settings_of(tmp_path, "csv").model_copy(update={"format": "bigquery"})
    write_data(tmp_path, "csv", CONTENT["csv"])
    path = str(tmp_path / "data.csv")
    with pytest.raises(ValueError, match="no file format 'bigquery'"), open_table(path, config, "data"):
        pass


@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_ten_thousand_columns(tmp_path: Path, file_format: str) -> None:
    wide = [
        {"text": f"t{row}", "labels": "", "id": f"k{row}"} | {f"c{n}": "0" for n in range(10_000)} for row in (1, 2)
    ]
    path = write_data(tmp_path, file_format, encoders.encode(wide, file_format))
    assert [type(row) for row in parse_file(path, file_format) or ()] == [LabelledText, LabelledText]
    with pytest.raises(Refused, match=r"no column 'txet' \(it has: .*\.\.\.; did you mean 'text'"):
        check_inputs(settings_of(tmp_path, file_format, text="txet"))


@pytest.mark.parametrize("file_format", FORMATS)
def test_does_not_keep_a_row_of_fifty_megabytes_in_memory(tmp_path: Path, file_format: str) -> None:
    huge = [*ROWS[:2], {"id": "k", "text": "x" * 50_000_000, "labels": ""}, *ROWS[2:4]]
    path = write_data(tmp_path, file_format, encoders.encode(huge, file_format))
    tracemalloc.start()
    found = read(path, file_format)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(accepted(found)) == 4
    (bad,) = rejected(found)
    # A quoted field of CSV looks as if its quote were never closed.
    assert bad.reason in (Reason.TOO_LONG, Reason.UNTERMINATED_QUOTE)
    # Parquet is read by the page, and a page holds at least one value.
    assert peak < (150_000_000 if file_format == "parquet" else 20_000_000)


def test_memory_does_not_grow_with_a_parquet_file(tmp_path: Path) -> None:
    import pyarrow as pa

    # Random digits, since repeated ones would be compressed.
    generator = random.Random(1)
    rows = [{"id": str(n), "text": generator.randbytes(5_000).hex(), "labels": ""} for n in range(8_000)]
    path = write_data(tmp_path, "parquet", encoders.parquet(rows, row_group_size=8_000))
    del rows
    before = pa.total_allocated_bytes()
    peak = 0
    with open_table(str(path), settings_of(tmp_path, "parquet"), "data") as table:
        for count, _ in enumerate(table.rows, start=1):
            if not count % 100:
                peak = max(peak, pa.total_allocated_bytes() - before)
    assert count == 8_000
    assert peak < path.stat().st_size / 2


class TestAdversarial:
    """Files of arbitrary content, which give rows, rejected rows or a refusal."""

    @pytest.mark.parametrize("file_format", FORMATS)
    @given(content=st.binary(max_size=300))
    @few_examples
    def test_random_bytes(self, tmp_path: Path, file_format: str, content: bytes) -> None:
        parse_file(write_data(tmp_path, file_format, content), file_format)

    @pytest.mark.parametrize("file_format", STREAMED)
    @given(content=st.binary(max_size=300))
    @few_examples
    def test_random_bytes_named_gz(self, tmp_path: Path, file_format: str, content: bytes) -> None:
        parse_file(write_data(tmp_path, file_format, content, ".gz"), file_format)
        parse_file(write_data(tmp_path, file_format, encoders.gzipped(content), ".gz"), file_format)

    @pytest.mark.parametrize("file_format", ["csv", "tsv", "jsonl"])
    @given(
        texts=st.lists(st.text(max_size=20), min_size=1, max_size=6),
        encodings=st.lists(st.sampled_from(["utf-8", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-7"]), min_size=6),
        open_quote=st.booleans(),
    )
    @few_examples
    def test_mixed_encodings_and_unclosed_quotes(
        self, tmp_path: Path, file_format: str, texts: Sequence[str], encodings: Sequence[str], open_quote: bool
    ) -> None:
        first, *lines = CONTENT[file_format].split(b"\n")[:4]
        for text, encoding in zip(texts, encodings, strict=False):
            line = f'{{"id": "1", "text": "{text}' if file_format == "jsonl" else f'1,"{text}'
            lines.append((line + ("" if open_quote else '"')).encode(encoding, "replace"))
        found = parse_file(write_data(tmp_path, file_format, b"\n".join([first, *lines])), file_format)
        assert found is not None
        assert sum(isinstance(row, LabelledText) for row in found) >= 3

    @pytest.mark.parametrize("file_format", FORMATS)
    @given(data=st.data())
    @few_examples
    def test_truncation(self, tmp_path: Path, file_format: str, data: st.DataObject) -> None:
        content = CONTENT[file_format]
        cut = write_data(tmp_path, file_format, content[: data.draw(st.integers(0, len(content) - 1))])
        if file_format == "parquet":
            assert parse_file(cut, file_format) is None
        elif (found := parse_file(cut, file_format)) is not None:
            assert len(found) <= len(ROWS)

    @pytest.mark.parametrize("file_format", STREAMED)
    @given(data=st.data())
    @few_examples
    def test_never_takes_truncated_gzip_for_complete(
        self, tmp_path: Path, file_format: str, data: st.DataObject
    ) -> None:
        content = GZIPPED[file_format]
        cut = content[: data.draw(st.integers(1, len(content) - 1))]
        found = parse_file(write_data(tmp_path, file_format, cut, ".gz"), file_format)
        if found is not None:
            assert isinstance(found[-1], Rejected)
            assert found[-1].reason is Reason.DAMAGED

    @pytest.mark.parametrize("file_format", FORMATS)
    @given(data=st.data())
    @few_examples
    def test_flipped_bits(self, tmp_path: Path, file_format: str, data: st.DataObject) -> None:
        parse_file(write_data(tmp_path, file_format, _flipped(CONTENT[file_format], data)), file_format)

    @pytest.mark.parametrize("file_format", STREAMED)
    @given(data=st.data())
    @few_examples
    def test_flipped_bits_in_gzip(self, tmp_path: Path, file_format: str, data: st.DataObject) -> None:
        parse_file(write_data(tmp_path, file_format, _flipped(GZIPPED[file_format], data), ".gz"), file_format)

    @pytest.mark.parametrize("file_format", FORMATS)
    @given(data=st.data())
    @few_examples
    def test_accounts_for_every_row_of_a_complete_file(
        self, tmp_path: Path, file_format: str, data: st.DataObject
    ) -> None:
        rows = data.draw(st.lists(st.fixed_dictionaries(_COLUMNS[file_format]), min_size=1, max_size=20))
        try:
            content = _WRITERS[file_format](rows)
        except UnicodeEncodeError:
            return
        path = write_data(tmp_path, file_format, content)
        found = parse_file(path, file_format)
        assert len(found if found is not None else rows) == len(rows)


def _flipped(content: bytes, data: st.DataObject) -> bytes:
    flipped = bytearray(content)
    # A Parquet file is mostly values; their description is at its end.
    last = st.integers(max(0, len(content) - 600), len(content) - 1)
    for at in data.draw(st.lists(st.integers(0, len(content) - 1) | last, min_size=1, max_size=4)):
        flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(flipped)


_TEXT = st.text(max_size=10)
_UTF8 = st.text(st.characters(codec="utf-8"), max_size=10)
_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.text("\ud800ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=5,
)
_FEATURE = (
    st.lists(st.binary(max_size=6) | _UTF8, max_size=3) | st.lists(st.integers(-5, 5)) | st.lists(st.floats(width=32))
)
_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=10)
_STRINGS = {"id": _CELL, "text": _CELL, "labels": _CELL}
_COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "csv": _STRINGS,
    "tsv": _STRINGS,
    "jsonl": {"id": _ANYTHING, "text": _ANYTHING, "labels": _ANYTHING},
    "parquet": {
        "id": st.none() | st.integers(-(2**60), 2**60), "text": st.none() | st.binary(max_size=10),
        "labels": st.none() | st.lists(st.none() | _UTF8, max_size=3),
    },
    "tfrecord": {"id": _FEATURE, "text": _FEATURE, "labels": _FEATURE},
}  # fmt: skip
_WRITERS: dict[str, Callable[[encoders.Rows], bytes]] = {
    name: lambda rows, name=name: encoders.encode(rows, name)  # type: ignore[misc]
    for name in FORMATS
}
