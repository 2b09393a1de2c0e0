"""TFRecord's framing, read as a stream without TensorFlow.

A record is its length (8 bytes, little-endian), the length's checksum (4), the data, and the data's checksum (4). After
a checksum that does not hold nothing tells where the next record begins.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.rows import Reason, Rejected, readable

_CHUNK_BYTES = 1 << 20
_MASK_DELTA = 0xA282EAD8  # of TFRecord: a checksum of data that holds checksums would be a weak one


class _Damaged(Exception):  # noqa: N818 - it says what the file is
    pass


def read_records(stream: BinaryIO) -> Iterator[bytes | Rejected]:
    """Yields every record in order; a damaged one is the last.

    Args:
        stream: The decompressed bytes of the file, buffered.
    """
    number = 0
    while True:
        number += 1
        try:
            record = _read_record(stream, number)
        except (_Damaged, *DECOMPRESSION_ERRORS) as error:
            yield Rejected(number, Reason.DAMAGED, str(error), "")
            return
        if record is None:
            return
        yield record


def masked_checksum(data: bytes) -> int:
    return _masked(google_crc32c.value(data))


def _read_record(stream: BinaryIO, number: int) -> bytes | Rejected | None:
    header = stream.read(12)
    if not header:
        return None
    length, checksum = struct.unpack("<QI", _whole(header, 12))
    if masked_checksum(header[:8]) != checksum:
        raise _Damaged("the checksum of a record's length does not hold")
    data = _whole(stream.read(min(length, MAX_ROW_BYTES)), min(length, MAX_ROW_BYTES))
    crc = google_crc32c.value(data)
    for wanted in _chunks(length - len(data)):
        crc = google_crc32c.extend(crc, _whole(stream.read(wanted), wanted))
    if struct.unpack("<I", _whole(stream.read(4), 4)) != (_masked(crc),):
        raise _Damaged("the checksum of a record does not hold")
    if length > MAX_ROW_BYTES:
        return Rejected(number, Reason.TOO_LONG, f"{length} bytes, more than {MAX_ROW_BYTES}", readable(data))
    return data


def _chunks(size: int) -> Iterator[int]:
    while size > 0:
        yield min(size, _CHUNK_BYTES)
        size -= _CHUNK_BYTES


def _whole(data: bytes, wanted: int) -> bytes:
    if len(data) < wanted:
        raise _Damaged("the file ends within a record")
    return data


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
