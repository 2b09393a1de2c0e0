"""Parquet as an input format. Its reader is a module of its own, since importing pyarrow takes time."""

from typing import BinaryIO

from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.rows import Table
from components.example_gen.formats.sniffing import GZIP, PARQUET_ENCRYPTED, why_not_text
from components.example_gen.formats.sniffing import PARQUET as FIRST_BYTES


def _sniff(head: bytes, _: FileOptions) -> str:
    if head.startswith(GZIP):
        return "is compressed with gzip; decompress it: Parquet is compressed inside, and not read front to back"
    if head.startswith(PARQUET_ENCRYPTED):
        return "is encrypted Parquet; decrypt it"
    if head.startswith(FIRST_BYTES):
        return ""
    return why_not_text(head) or "is not a Parquet file; check examples.format, and how the name of the file ends"


def _read_table(stream: BinaryIO, options: FileOptions) -> Table:
    from components.example_gen.formats.parquet_reader import read_table

    return read_table(stream, options)


PARQUET = Format(
    name="parquet",
    description="Parquet files",
    suffixes=(".parquet", ".pq"),
    sniff=_sniff,
    read_table=_read_table,
    is_gzip_allowed=False,
)
