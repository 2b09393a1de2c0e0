"""Framing of TFRecord files, read as a stream without TensorFlow.

A record consists of its length (8 bytes, little-endian), the checksum of the length (4 bytes), the data, and the
checksum of the data (4 bytes). After a wrong checksum nothing tells where the next record begins. Source:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.rows import Reason, Rejected, readable

_CHUNK_BYTES = 1 << 20
_MASK_DELTA = 0xA282EAD8  # TFRecord masks checksums, since the checksum of data that contains checksums is weak


class _DamagedError(Exception):
    """The file does not continue with a whole record."""


def read_records(stream: BinaryIO) -> Iterator[bytes | Rejected]:
    """Yield every record in order; a damaged record is the last one.

    Args:
        stream: Decompressed, buffered bytes of the file.
    """
    number = 0
    while True:
        number += 1
        try:
            record = _read_record(stream, number)
        except (_DamagedError, *DECOMPRESSION_ERRORS) as error:
            yield Rejected(number, Reason.DAMAGED, str(error), "")
            return
        if record is None:
            return
        yield record


def masked_checksum(data: bytes) -> int:
    """Return the masked CRC-32C of some bytes, as TFRecord stores it."""
    return _mask(google_crc32c.value(data))


def _read_record(stream: BinaryIO, number: int) -> bytes | Rejected | None:
    header = stream.read(12)
    if not header:
        return None
    length, checksum = struct.unpack("<QI", _require(header, 12))
    if masked_checksum(header[:8]) != checksum:
        raise _DamagedError("the checksum of a record's length is wrong")
    data = _require(stream.read(min(length, MAX_ROW_BYTES)), min(length, MAX_ROW_BYTES))
    crc = google_crc32c.value(data)
    for size in _chunk_sizes(length - len(data)):
        crc = google_crc32c.extend(crc, _require(stream.read(size), size))
    if struct.unpack("<I", _require(stream.read(4), 4)) != (_mask(crc),):
        raise _DamagedError("the checksum of a record is wrong")
    if length > MAX_ROW_BYTES:
        return Rejected(number, Reason.TOO_LONG, f"{length} bytes, more than {MAX_ROW_BYTES}", readable(data))
    return data


def _chunk_sizes(size: int) -> Iterator[int]:
    while size > 0:
        yield min(size, _CHUNK_BYTES)
        size -= _CHUNK_BYTES


def _require(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise _DamagedError("the file ends within a record")
    return data


def _mask(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
