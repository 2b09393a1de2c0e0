"""Reader of Parquet, one batch of rows at a time: memory grows with the largest page of a file, not with the file.

Importing this module imports pyarrow.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.example_gen.formats.class_labels import class_names, name_of
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.format import FileOptions
from components.example_gen.formats.rows import Cell, Object, Reason, Rejected, Row, Table, Unlabelled, readable
from components.example_gen.formats.values import UnusableValueError, as_text, decode_utf8, excerpt, printable
from schema.errors import Refused

_BATCH_ROWS = 256
_BATCH_BYTES = 16 << 20
_BUFFER_BYTES = 1 << 20  # read ahead per column; without a limit, the whole column of a row group is read

_LabelNames = Mapping[str, tuple[str, ...]]

# Exceptions that pyarrow raises on invalid bytes. Not all of them are classes of its own.
_DAMAGE = (pa.ArrowException, OSError, ValueError)


def read_table(stream: BinaryIO, options: FileOptions) -> Table:
    """Read the footer, and the rows as they are iterated over.

    Args:
        stream: File, seekable.
        options: How the file is read. If all columns are wanted, those that no cell can be made of are left out,
            and a value that cannot become a cell counts as missing.

    Raises:
        Refused: The file is not Parquet or cut short, two columns have the same name, or a wanted column cannot be
            read.
    """
    try:
        file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True)
        fields = list(file.schema_arrow)
    except _DAMAGE as error:
        raise Refused(
            f"{options.name}: cannot be read as Parquet ({_one_line(error)}); it is cut short, damaged or of another"
            " format"
        ) from None
    columns = (*_readable_columns(fields, options), *_nested_columns(fields, options))
    read = frozenset(columns)
    others = tuple(field.name for field in fields if field.name not in read)
    numbers = {field.name for field in fields if field.name in read and _holds_integers(field.type)}
    names = {column: labels for column, labels in class_names(file.schema_arrow.metadata).items() if column in numbers}
    return Table(columns, _rows(file, columns, names, is_survey=options.wanted is None), others, names)


def _readable_columns(fields: Sequence[pa.Field], options: FileOptions) -> Iterator[str]:
    counts = Counter(field.name for field in fields)
    for field in fields:
        if options.wanted is not None and field.name not in options.wanted:
            continue
        name = printable(field.name)
        if counts[field.name] > 1:
            raise Refused(f"{options.name}: two columns are named '{name}'; rename one")
        may_be_object = options.objects is None or field.name in options.objects
        if _is_readable(field.type) or (may_be_object and _is_object(field.type)):
            yield field.name
        elif options.wanted is not None:
            raise Refused(
                f"{options.name}: column '{name}' is of type {printable(str(field.type))}, neither text nor a list of"
                " texts; name another column"
            )


def _nested_columns(fields: Sequence[pa.Field], options: FileOptions) -> Iterator[str]:
    """Yield the paths of scalars in columns of objects, such as `data.text`."""
    names = {field.name for field in fields}
    for field in fields:
        for inner in field.type if pa.types.is_struct(field.type) else ():
            path = f"{field.name}.{inner.name}"
            is_wanted = options.wanted is None or path in options.wanted
            if is_wanted and path not in names and not _is_list(inner.type) and _is_readable(inner.type):
                yield path


def _is_readable(data_type: pa.DataType) -> bool:
    if _is_list(data_type):
        return not _is_list(data_type.value_type) and _is_readable(data_type.value_type)
    try:
        _scalars(pa.array([], data_type))
    except (pa.ArrowException, NotImplementedError):  # structs, maps and other types that cannot be cast to text
        return False
    return not pa.types.is_nested(data_type)


def _holds_integers(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type.value_type if _is_list(data_type) else data_type))


def _is_object(data_type: pa.DataType) -> bool:
    """Return whether a value is an object, or a list of objects or lists."""
    levels = 0
    while _is_list(data_type):
        data_type, levels = data_type.value_type, levels + 1
    return bool(pa.types.is_struct(data_type) or pa.types.is_map(data_type)) or (levels > 1 and _is_readable(data_type))


def _rows(
    file: pq.ParquetFile, columns: tuple[str, ...], names: _LabelNames, *, is_survey: bool
) -> Iterator[Row | Rejected]:
    line = 0
    batches = _batches(file, columns)
    while True:
        try:
            batch = next(batches, None)
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the operating system failed, not the bytes of the file
            yield Rejected(line + 1, Reason.DAMAGED, _one_line(error), "")
            return
        if batch is None:
            break
        for values in batch:
            line += 1
            yield _row(line, columns, values, names, is_survey=is_survey)
    if line != file.metadata.num_rows:
        yield Rejected(line + 1, Reason.DAMAGED, f"{line} rows instead of {file.metadata.num_rows}", "")


def _batches(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield batches of rows, with strings still undecoded, so that one that is not UTF-8 costs only its row."""
    for batch in file.iter_batches(_batch_rows(file.metadata), columns=list(columns), use_threads=False):
        # By name: if there are columns "a" and "a.b", asking for the first reads both.
        values = [_values(_column(batch, name)) for name in columns]
        yield list(zip(*values, strict=True)) if values else [()] * batch.num_rows


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name in batch.schema.names:
        return batch.column(name)
    outer, _, inner = name.rpartition(".")
    return pc.struct_field(batch.column(outer), [inner])


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Return the number of rows per batch: fewer if rows are large, so that a batch stays below 16 MiB."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1, min(_BATCH_ROWS, int(_BATCH_BYTES / max(largest, 1.0))))


def _row(
    line: int, columns: Sequence[str], values: Sequence[Any], names: _LabelNames, *, is_survey: bool
) -> Row | Rejected:
    cells: list[Cell] = []
    for column, value in zip(columns, values, strict=True):
        try:
            cells.append(_to_cell(value, column, names.get(column)))
        except UnusableValueError as error:
            if not is_survey:
                raw = readable(excerpt(dict(zip(columns, values, strict=True))))
                return Rejected(line, error.reason, error.detail, raw)
            cells.append(None)  # a picture in a column that may not be used
    return Row(line, cells, dict(zip(columns, cells, strict=True)))


def _to_cell(value: Any, column: str, names: tuple[str, ...] | None) -> Cell:
    if names is not None:
        return _named(value, column, names)
    if isinstance(value, list):
        return [_text(element, column) for element in value]
    return _text(value, column)


def _named(value: Any, column: str, names: tuple[str, ...]) -> Cell:
    """Return the labels that a number, or a list of numbers, stands for."""
    if not isinstance(value, list):
        return name_of(value, names, column)
    labels = [name_of(element, names, column) for element in value]
    return next((label for label in labels if isinstance(label, Unlabelled)), labels)


def _text(value: bytes | str | None, column: str) -> str:
    if not isinstance(value, bytes):
        return value or ""
    if len(value) > MAX_ROW_BYTES:
        raise UnusableValueError(Reason.TOO_LONG, f"'{printable(column)}' has more than {MAX_ROW_BYTES} bytes")
    return decode_utf8(value, column)


def _values(array: pa.Array) -> list[Any]:
    """Return a column as Python values: lists for a column of lists, None for null."""
    if _is_object(array.type):
        is_map = pa.types.is_map(array.type)
        values = [dict(value) if is_map and value is not None else value for value in array.to_pylist()]
        return [
            None if value is None else Object(json.dumps(value, ensure_ascii=False, default=str)) for value in values
        ]
    if not _is_list(array.type):
        return _scalars(array)
    elements = iter(_scalars(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else list(islice(elements, length)) for length in lengths]


def _scalars(array: pa.Array) -> list[bytes | str | None]:
    """Return the scalars of an array: strings undecoded, other types as text, None for null."""
    data_type = array.type
    types = pa.types
    if isinstance(array, pa.ExtensionArray):
        return _scalars(array.storage)
    if types.is_dictionary(data_type):
        distinct = _scalars(array.dictionary)  # each value is held once, however many rows have it
        return [None if index is None else distinct[index] for index in array.indices.to_pylist()]
    if types.is_string(data_type) or types.is_large_string(data_type):
        # Parquet does not guarantee that a string is UTF-8: strings are decoded one by one.
        return list(array.cast(pa.large_binary()).to_pylist())
    if types.is_binary(data_type) or types.is_large_binary(data_type) or types.is_fixed_size_binary(data_type):
        return list(array.to_pylist())
    if types.is_boolean(data_type) or types.is_integer(data_type):
        return [None if value is None else as_text(value) for value in array.to_pylist()]
    if types.is_float16(data_type):
        return _scalars(array.cast(pa.float32()))
    if types.is_timestamp(data_type) and data_type.tz is not None:
        array = array.cast(pa.timestamp(data_type.unit))  # to UTC; not every machine knows every time zone
    texts = array.cast(pa.string()).to_pylist()  # a 32-bit 0.1 becomes "0.1"; a Python float would have more digits
    if types.is_floating(data_type):
        return [None if text is None else as_text(float(text)) for text in texts]
    return list(texts)


def _is_list(data_type: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(data_type) or types.is_large_list(data_type) or types.is_fixed_size_list(data_type))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
