"""Tells from a file's first bytes that it is not of the configured format, and what to do about it."""

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.formats import open_file
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

_SNIFFED_BYTES = 1_000

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_PARQUET_ENCRYPTED = b"PARE"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What a file begins with that no text in UTF-8 begins with.
_NO_TEXT = {
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook; export it as text in UTF-8",
    _GZIP: "is compressed with gzip; give it a name that ends in .gz",
    _PARQUET: "is Parquet; set examples.format to parquet",
    _PARQUET_ENCRYPTED: "is encrypted Parquet; decrypt it, and set examples.format to parquet",
}


def refuse_other_format(path: str, settings: ExamplesSettings, name: str) -> None:
    """Returns unless a file is plainly not of the configured format.

    Args:
        path: The file.
        settings: Give the format.
        name: What messages call the file.

    Raises:
        Refused: It is of another format, empty or no file, or it cannot be opened or decompressed.
    """
    try:
        with open_file(path, settings, name) as stream:
            head = stream.read(_SNIFFED_BYTES)
    except DECOMPRESSION_ERRORS as error:
        raise Refused(f"{name}: cannot be decompressed ({error}); it is cut short or no gzip file") from None
    if not head:
        raise Refused(f"{name}: the file is empty; remove it or fill it")
    verdict = _verdict(head, settings)
    if verdict:
        raise Refused(f"{name}: {verdict}")


def _verdict(head: bytes, settings: ExamplesSettings) -> str:
    match settings.format:
        case "parquet":
            return _of_parquet(head)
        case "tfrecord":
            return _of_tfrecord(head)
        case "jsonl":
            return _of_json_lines(head)
        case _:
            return _of_text(head, has_header=settings.columns is None)


def _of_text(head: bytes, has_header: bool) -> str:
    verdict = next((verdict for start, verdict in _NO_TEXT.items() if head.startswith(start)), "")
    # NUL may be part of a text, but every other byte of UTF-16 is NUL where the text is Latin, and no header has any.
    nuls = head.partition(b"\n")[0].count(0) if has_header else 0
    if not verdict and (nuls or head.count(0) > len(head) // 4):
        return "is UTF-16 or binary (it has NUL bytes); save it as text in UTF-8"
    return verdict


def _of_json_lines(head: bytes) -> str:
    if head.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"["):
        return "is a JSON array; write its objects one a line, without the brackets"
    return _of_text(head, has_header=False)


def _of_parquet(head: bytes) -> str:
    if head.startswith(_GZIP):
        return "is compressed with gzip; decompress it: Parquet is compressed inside, and not read front to back"
    if head.startswith(_PARQUET_ENCRYPTED):
        return "is encrypted Parquet; decrypt it"
    return "" if head.startswith(_PARQUET) else "is no Parquet file; check examples.format"


def _of_tfrecord(head: bytes) -> str:
    for start in (_GZIP, _PARQUET, _PARQUET_ENCRYPTED):
        if head.startswith(start):
            return _NO_TEXT[start]
    # A record begins with its length in eight bytes, the last of which no length reaches.
    return "" if len(head) < 8 or head[7] == 0 else "is no TFRecord file; check examples.format"
