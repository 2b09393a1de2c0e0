"""Check of the inputs before anything runs: refuses what can never become a data set.

Only the beginning of each file is read. TensorFlow is imported only for remote paths and TFRecord files, Beam never.
"""

from dataclasses import replace

from components.common.files import display
from components.example_gen.formats.formats import format_named
from components.example_gen.formats.opening import open_table, refuse_other_format
from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.parsing.columns import find_columns
from components.example_gen.parsing.labels import read_label_names
from components.example_gen.settings import ExamplesSettings, RowsSettings
from components.example_gen.sources.sources import Sources, find_sources
from schema.errors import Refused


def check_inputs(settings: ExamplesSettings, project: str = "") -> Sources:
    """Find every input and check it.

    Args:
        settings: Inputs, their format and columns.
        project: Google Cloud project that pays for queries; "" if there are none.

    Raises:
        Refused: As for `find_sources` and `check_sources`, or if the list of labels is missing.
    """
    read_label_names(settings.labels, settings.input_base)
    return check_sources(find_sources(settings), settings, project)


def check_sources(sources: Sources, settings: RowsSettings, project: str = "") -> Sources:
    """Read the beginning of every file, or have BigQuery check every query.

    Returns:
        The sources; for queries, with the number of bytes that each will read.

    Raises:
        Refused: A file is empty, is not of the configured format, has no row, lacks a column or has two of the same
            name; or a query cannot be run.
    """
    if settings.has_queries:
        from components.example_gen.sources.bigquery.check import check_queries

        asked = [settings.asked_of(index) for index in range(len(settings.inputs))]
        sizes = check_queries(sources.queries, settings, project, asked)
        files = [replace(file, size=size) for file, size in zip(sources.files, sizes, strict=True)]
        return replace(sources, files=tuple(files))
    for file in sources.files:
        _check_file(file.path, settings, file.input)
    return sources


def _check_file(path: str, settings: RowsSettings, entry: int) -> None:
    name = display(path)
    refuse_other_format(path, settings, name)
    columns, objects = settings.columns_of(entry), settings.objects_of(entry)
    with open_table(path, settings, name, columns=columns, objects=objects) as table:
        find_columns(table.columns, settings, name, others=table.others, asked=settings.asked_of(entry))
        _check_first_row(next(table.rows, None), settings, name)


def _check_first_row(row: Row | Rejected | None, settings: RowsSettings, name: str) -> None:
    if row is None:
        has_header = format_named(settings.format).has_header and settings.columns is None
        problem = "there is no row below the header" if has_header else "the file is empty"
        raise Refused(f"{name}: {problem}; remove it or fill it")
    if isinstance(row, Rejected) and row.reason is Reason.DAMAGED:
        raise Refused(f"{name}: nothing in it can be read ({row.explanation}); replace the file")
