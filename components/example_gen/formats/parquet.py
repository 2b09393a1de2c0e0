"""Parquet, a batch of rows at a time: memory does not grow with the file, only with its largest page.

Imports pyarrow, so it is imported only where a file is Parquet.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.rows import Reason, Rejected, Row, Table, Value, readable
from components.example_gen.formats.values import Unusable, as_text, excerpt, in_utf8, shown
from schema.errors import Refused

_BATCH_ROWS = 256
_BATCH_BYTES = 16 << 20
_BUFFER_BYTES = 1 << 20  # of a column are read ahead; without it, the whole column of a row group is

# What pyarrow raises on bytes that make no sense. Not all of its errors have a class of its own.
_DAMAGE = (pa.ArrowException, OSError, ValueError)


def read_table(stream: BinaryIO, wanted: Collection[str] | None, name: str) -> Table:
    """Reads the footer, and the rows as they are asked for.

    Args:
        stream: The file, seekable.
        wanted: The columns to read; None: all that can be.
        name: What messages call the file.

    Raises:
        Refused: The file is no Parquet or is cut short, two columns have one name, or a wanted one cannot be read.
    """
    try:
        file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True)
        fields = list(file.schema_arrow)
    except _DAMAGE as error:
        raise Refused(
            f"{name}: cannot be read as Parquet ({_in_a_line(error)}); it is cut short, damaged or of another format"
        ) from None
    columns = tuple(_readable_columns(fields, wanted, name))
    read = frozenset(columns)
    others = tuple(field.name for field in fields if field.name not in read)
    return Table(columns, _rows(file, columns), others)


def _readable_columns(fields: Sequence[pa.Field], wanted: Collection[str] | None, name: str) -> Iterator[str]:
    names = Counter(field.name for field in fields)
    for field in fields:
        if wanted is not None and field.name not in wanted:
            continue
        if names[field.name] > 1:
            raise Refused(f"{name}: two columns are named '{shown(field.name)}'; rename one")
        if _is_readable(field.type):
            yield field.name
        elif wanted is not None:
            raise Refused(
                f"{name}: column '{shown(field.name)}' is of type {shown(str(field.type))}, neither text nor a list of"
                " texts; name another column"
            )


def _is_readable(kind: pa.DataType) -> bool:
    if _is_list(kind):
        return not _is_list(kind.value_type) and _is_readable(kind.value_type)
    try:
        _scalars(pa.array([], kind))
    except (pa.ArrowException, NotImplementedError):  # structs, maps and what else no text can be made of
        return False
    return not pa.types.is_nested(kind)


def _rows(file: pq.ParquetFile, columns: tuple[str, ...]) -> Iterator[Row | Rejected]:
    line = 0
    batches = _batches(file, columns)
    while True:
        try:
            batch = next(batches, None)
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # it is not the file's bytes that are at fault
            yield Rejected(line + 1, Reason.DAMAGED, _in_a_line(error), "")
            return
        if batch is None:
            break
        for values in batch:
            line += 1
            yield _row(line, columns, values)
    if line != file.metadata.num_rows:
        yield Rejected(line + 1, Reason.DAMAGED, f"{line} rows instead of {file.metadata.num_rows}", "")


def _batches(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in batches; strings still undecoded, so that one that cannot be costs only its row."""
    for batch in file.iter_batches(_batch_rows(file.metadata), columns=list(columns), use_threads=False):
        # By name: of columns named "a" and "a.b", asking for the first reads both.
        read = [_values(batch.column(name)) for name in columns]
        yield list(zip(*read, strict=True)) if read else [()] * batch.num_rows


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """So many rows that a batch stays small where the rows are large."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1, min(_BATCH_ROWS, int(_BATCH_BYTES / max(largest, 1.0))))


def _row(line: int, columns: Sequence[str], read: Sequence[Any]) -> Row | Rejected:
    try:
        values = [_value(value, column) for column, value in zip(columns, read, strict=True)]
    except Unusable as unusable:
        raw = readable(excerpt(dict(zip(columns, read, strict=True))))
        return Rejected(line, unusable.reason, unusable.detail, raw)
    return Row(line, values, dict(zip(columns, values, strict=True)))


def _value(value: Any, column: str) -> Value:
    if isinstance(value, list):
        return [_text(element, column) for element in value]
    return _text(value, column)


def _text(value: bytes | str | None, column: str) -> str:
    if not isinstance(value, bytes):
        return value or ""
    if len(value) > MAX_ROW_BYTES:
        raise Unusable(Reason.TOO_LONG, f"'{shown(column)}' has more than {MAX_ROW_BYTES} bytes")
    return in_utf8(value, column)


def _values(array: pa.Array) -> list[Any]:
    """A column as Python values: of lists, lists; None where null."""
    if not _is_list(array.type):
        return _scalars(array)
    elements = iter(_scalars(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else list(islice(elements, length)) for length in lengths]


def _scalars(array: pa.Array) -> list[bytes | str | None]:
    kind = array.type
    types = pa.types
    if isinstance(array, pa.ExtensionArray):
        return _scalars(array.storage)
    if types.is_dictionary(kind):
        distinct = _scalars(array.dictionary)  # a value is held once, however many rows have it
        return [None if index is None else distinct[index] for index in array.indices.to_pylist()]
    if types.is_string(kind) or types.is_large_string(kind):
        # Parquet does not promise that a string is UTF-8: it is decoded value by value.
        return list(array.cast(pa.large_binary()).to_pylist())
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return list(array.to_pylist())
    if types.is_boolean(kind) or types.is_integer(kind):
        return [None if value is None else as_text(value) for value in array.to_pylist()]
    if types.is_float16(kind):
        return _scalars(array.cast(pa.float32()))
    if types.is_timestamp(kind) and kind.tz is not None:
        array = array.cast(pa.timestamp(kind.unit))  # in UTC; not every machine knows every time zone
    texts = array.cast(pa.string()).to_pylist()  # of a 32-bit 0.1 "0.1", where Python's float has more digits
    if types.is_floating(kind):
        return [None if text is None else as_text(float(text)) for text in texts]
    return list(texts)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
