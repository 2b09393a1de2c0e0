"""Recognition, by its first bytes, of a file that is not of the format it should have."""

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
PARQUET_ENCRYPTED = b"PARE"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# First bytes that no UTF-8 text has, or no text with rows, and what to do about such a file.
NOT_TEXT = {
    b"\xff\xfe\x00\x00": "is UTF-32; set examples.encoding to utf-32",
    b"\x00\x00\xfe\xff": "is UTF-32; set examples.encoding to utf-32",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself; fetch that: git lfs pull",
    b"<!DOCTYPE": "is a web page, not the file that it may link to; download that",
    b"<!doctype": "is a web page, not the file that it may link to; download that",
    b"<html": "is a web page, not the file that it may link to; download that",
    b"<table": "is a table in HTML; write it as CSV in UTF-8",
    b"<?xml": "is XML; write a row per line, as CSV or as JSON",
    b"%PDF": "is a PDF; write a row per line, as CSV or as JSON",
    b"SQLite format 3": "is a database of SQLite; export the table: sqlite3 -header -csv FILE 'SELECT * FROM ...'",
    b"\xff\xfe": "is UTF-16; set examples.encoding to utf-16",
    b"\xfe\xff": "is UTF-16; set examples.encoding to utf-16",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook; unpack it (python -m zipfile -e FILE FOLDER), or export it"
    " as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "is a workbook of Excel 97 to 2003; save the sheet as CSV in UTF-8",
    b"\x28\xb5\x2f\xfd": "is compressed with Zstandard; decompress it, or compress it with gzip",
    b"\xfd7zXZ\x00": "is compressed with xz; decompress it, or compress it with gzip",
    b"BZh91AY&SY": "is compressed with bzip2; decompress it, or compress it with gzip",
    b"7z\xbc\xaf\x27\x1c": "is a 7z archive; unpack it",
    b"Rar!\x1a\x07": "is a RAR archive; unpack it",
    b"ARROW1": "is an Arrow file (Feather); write it as Parquet",
    b"\x89HDF\r\n": "is an HDF5 file; write it as Parquet",
    b"\x80\x03": "is a pickle of Python; write it as Parquet, such as by df.to_parquet(FILE)",
    b"\x80\x04\x95": "is a pickle of Python; write it as Parquet, such as by df.to_parquet(FILE)",
    b"\x80\x05\x95": "is a pickle of Python; write it as Parquet, such as by df.to_parquet(FILE)",
    GZIP: "is compressed with gzip; give it a name that ends in .gz",
    PARQUET: "is Parquet; set examples.format to parquet",
    PARQUET_ENCRYPTED: "is encrypted Parquet; decrypt it, and set examples.format to parquet",
}


def why_not_text(head: bytes) -> str:
    """Return what a file is that begins like a known kind of file that is no text, and what to do; "" if it does not.

    Args:
        head: First bytes of the file.
    """
    return next((problem for start, problem in NOT_TEXT.items() if head.startswith(start)), "")


def sniff_text(head: bytes, *, has_header: bool) -> str:
    """Return why a file is not text in UTF-8 and what to do about it; "" if it may be.

    Args:
        head: First bytes of the file.
        has_header: Whether the first line is a header, which holds no NUL.

    Example:
        >>> sniff_text("text,labels".encode("utf-16"), has_header=True)
        'is UTF-16; set examples.encoding to utf-16'
    """
    problem = why_not_text(head)
    # A text may hold a NUL, but no header does; and in UTF-16 every other byte of Latin text is one.
    nuls = head.partition(b"\n")[0].count(0) if has_header else 0
    if not problem and (nuls or head.count(0) > len(head) // 4):
        return (
            "is UTF-16 or binary (it has NUL bytes); set examples.encoding to utf-16-le or utf-16-be, or save it as"
            " text in UTF-8"
        )
    return problem
