"""Finds the inputs and refuses, before anything runs, what could never become a data set.

Only the head of each file is read. TensorFlow is imported if a path is remote or the format is TFRecord, Beam never.
"""

from dataclasses import replace

from components.common.files import display
from components.example_gen.columns import find_columns
from components.example_gen.formats.formats import open_table
from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.formats.sniffing import refuse_other_format
from components.example_gen.labels import read_label_names
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import Sources, find_sources
from schema.errors import Refused


def check_inputs(settings: ExamplesSettings, project: str = "") -> Sources:
    """Finds every input and looks into it.

    Args:
        settings: The configuration.
        project: Pays for queries, where there are any.

    Raises:
        Refused: As `find_sources` and `check_sources`; or the list of labels is missing.
    """
    read_label_names(settings)
    return check_sources(find_sources(settings), settings, project)


def check_sources(sources: Sources, settings: ExamplesSettings, project: str = "") -> Sources:
    """Reads the head of every file; has BigQuery check every query.

    Returns:
        The sources; of queries, with the bytes that they will read.

    Raises:
        Refused: A file is empty, is not of the configured format, has no row, lacks a column or has two of one name;
            or a query cannot be run.
    """
    if settings.format == "bigquery":
        from components.example_gen.sources.bigquery.check import check_queries

        sizes = check_queries(sources.queries, settings, project)
        files = [replace(file, size=size) for file, size in zip(sources.files, sizes, strict=True)]
        return replace(sources, files=tuple(files))
    for file in sources.files:
        _check_head(file.path, settings)
    return sources


def _check_head(path: str, settings: ExamplesSettings) -> None:
    name = display(path)
    refuse_other_format(path, settings, name)
    with open_table(path, settings, name) as table:
        find_columns(table.columns, settings, name, others=table.others)
        _check_first(next(table.rows, None), settings, name)


def _check_first(row: Row | Rejected | None, settings: ExamplesSettings, name: str) -> None:
    if row is None:
        has_header = settings.format in ("csv", "tsv") and settings.columns is None
        what = "there is no row below the header" if has_header else "the file is empty"
        raise Refused(f"{name}: {what}; remove it or fill it")
    if isinstance(row, Rejected) and row.reason is Reason.DAMAGED:
        raise Refused(f"{name}: nothing of it can be read ({row.sentence}); replace the file")
