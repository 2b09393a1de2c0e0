r"""JSON values of a file that has them not one per line: elements of an array, or values printed over several lines.

Only where values begin and end is found here, so that one that cannot be parsed costs no other. Memory is bounded by
`MAX_ROW_BYTES`: of a longer value, the rest is skipped.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.formats.rows import Reason, Rejected, readable

_CHUNK_BYTES = 1 << 16
_IN_STRING = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["{}\[\],]')


def read_values(stream: BinaryIO) -> Iterator[tuple[int, bytes] | Rejected]:
    r"""Yield (line on which it begins, bytes) for every value of a file, or of the arrays in it.

    Args:
        stream: Decompressed bytes without a byte-order mark.

    Example:
        >>> import io
        >>> list(read_values(io.BytesIO(b'[{"a": [1]},\n {"b": "]"}]')))
        [(1, b'{"a": [1]}'), (2, b'{"b": "]"}')]
    """
    splitter = _Splitter()
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            yield from splitter.feed(chunk)
    except DECOMPRESSION_ERRORS as error:
        yield Rejected(splitter.line, Reason.DAMAGED, str(error), "")
        return
    yield from splitter.finish()


class _Splitter:
    """Finder of the ends of values in bytes that come in chunks.

    Attributes:
        line: Line on which what is collected begins.
    """

    def __init__(self) -> None:
        self.line = 1
        self._collected = bytearray()
        self._size = 0  # of the value; more than is collected where it is too long
        self._skipped_lines = 0
        self._depth = 0  # of brackets that are open
        self._base = 0  # depth at which values are: 1 within an array of rows
        self._in_string = False
        self._is_escaped = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes] | Rejected]:
        """Yield the values that end in a chunk."""
        position, taken = int(self._is_escaped), 0
        self._is_escaped = False
        while match := (_IN_STRING if self._in_string else _OUTSIDE).search(chunk, position):
            mark, position = match[0], match.end()
            if self._in_string:
                if mark == b'"':
                    self._in_string = False
                else:
                    self._is_escaped = position == len(chunk)
                    position += 1
            elif mark == b'"':
                self._in_string = True
            elif self._ends_before(mark):
                yield from self._end(chunk[taken : position - 1])
                taken = position
            elif self._ends_with(mark):
                yield from self._end(chunk[taken:position])
                taken = position
        self._collect(chunk[taken:])

    def finish(self) -> Iterator[tuple[int, bytes] | Rejected]:
        """Yield what is left at the end of the file."""
        if self._depth == 0 and not self._in_string:
            yield from self._end(b"")
        else:
            line, value = self._line_and_value()
            yield Rejected(line, Reason.DAMAGED, "the file ends within a JSON array or object", readable(value))

    def _ends_before(self, mark: bytes) -> bool:
        """Return whether a mark is none of a value, but opens the array of rows, closes it, or is between two rows."""
        if mark == b"[" and self._depth == 0:
            self._depth = self._base = 1
            return True
        if mark in b"]}" and self._depth <= self._base:
            self._depth = self._base = 0
            return True
        return mark == b"," and self._depth == self._base

    def _ends_with(self, mark: bytes) -> bool:
        """Return whether a value ends with a mark, which is one of its brackets."""
        if mark in b"[{":
            self._depth += 1
        elif mark in b"]}":
            self._depth -= 1
            return self._depth == self._base
        return False

    def _collect(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= MAX_ROW_BYTES:
            self._collected += part
        else:
            self._skipped_lines += part.count(b"\n")

    def _line_and_value(self) -> tuple[int, bytes]:
        collected = bytes(self._collected)
        value = collected.lstrip()
        return self.line + collected[: len(collected) - len(value)].count(b"\n"), value.rstrip()

    def _end(self, part: bytes) -> Iterator[tuple[int, bytes] | Rejected]:
        """Yield the value that ends with a part of a chunk, unless it is blank."""
        self._collect(part)
        line, value = self._line_and_value()
        if self._size > MAX_ROW_BYTES:
            yield Rejected(line, Reason.TOO_LONG, f"more than {MAX_ROW_BYTES} bytes", readable(value))
        elif value:
            yield line, value
        self.line += self._collected.count(b"\n") + self._skipped_lines
        self._collected.clear()
        self._size = self._skipped_lines = 0
