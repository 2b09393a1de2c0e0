"""Text in an encoding other than UTF-8, decoded as a stream: what reads a file sees UTF-8 only."""

import codecs
import io
from typing import Any, BinaryIO

from schema.errors import Refused

UTF_8 = "utf-8"
_CHUNK_BYTES = 1 << 16
_ON_ERROR = "components.example_gen.invalid_bytes"


def check_encoding(name: str) -> str:
    """Return the usual name of an encoding of text.

    Raises:
        ValueError: Python knows no such encoding.

    Example:
        >>> check_encoding("UTF8"), check_encoding("windows-1252")
        ('utf-8', 'cp1252')
    """
    try:
        # Codecs such as "base64" are not of text; only encoding tells.
        "a".encode(name)
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(
            f"no encoding '{name}'; usual ones are utf-8, utf-16, windows-1252, latin-1, shift_jis, gb18030"
        ) from None


def decoded(stream: BinaryIO, encoding: str, name: str) -> BinaryIO:
    """Return a stream of the same text in UTF-8.

    Bytes that are invalid in the encoding stay invalid in UTF-8, so that they cost the row that they are in.

    Args:
        stream: Decompressed bytes.
        encoding: Name of their encoding; a byte-order mark is dropped.
        name: Name of the file in messages. If it is in another encoding altogether, reading raises Refused.
    """
    if encoding == UTF_8:
        return stream
    return io.BufferedReader(_Decoded(stream, encoding, name))


def _keep_invalid(error: UnicodeError) -> tuple[str, int]:
    """Replace invalid bytes by half a surrogate pair, which `surrogateescape` writes as a byte that is not UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    first = error.object[error.start]
    return chr(0xDC00 + first) if first >= 0x80 else "\udcff", error.end


class _Decoded(io.RawIOBase):
    """Raw stream of UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str, name: str) -> None:
        codecs.register_error(_ON_ERROR, _keep_invalid)
        self._stream = stream
        self._encoding = encoding
        self._name = name
        self._decoder = codecs.getincrementaldecoder(encoding)(_ON_ERROR)
        self._pending = b""
        self._at_end = False
        self._at_start = True

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; return the number of bytes, 0 at the end."""
        while not self._pending and not self._at_end:
            chunk = self._stream.read(_CHUNK_BYTES)
            self._at_end = not chunk
            text = self._decode(chunk)
            if text and self._at_start:
                text, self._at_start = text.removeprefix("\ufeff"), False
            self._pending = text.encode(UTF_8, "surrogateescape")
        size = min(len(buffer), len(self._pending))
        buffer[:size], self._pending = self._pending[:size], self._pending[size:]
        return size

    def _decode(self, chunk: bytes) -> str:
        try:
            return self._decoder.decode(chunk, final=self._at_end)
        except UnicodeError as error:  # not of some bytes, but of the whole: UTF-16 without a byte-order mark
            raise Refused(
                f"{self._name}: is not {self._encoding} ({error}); set examples.encoding to another one (utf-16-le or"
                " utf-16-be where there is no byte-order mark)"
            ) from None

    def close(self) -> None:
        """Close the file too."""
        self._stream.close()
        super().close()
