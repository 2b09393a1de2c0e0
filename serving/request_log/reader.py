"""Reading of the request log."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from components.common.files import escape_glob, is_folder, list_files, list_folder, open_seekable
from schema.errors import Refused
from serving.request_log.rows import HEADER_KEY, KEY_FILE, SCHEMA, LogHeader

_HOUR = timedelta(hours=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_CHARACTERS = 200  # of an error of pyarrow, which may quote the file


@dataclass(frozen=True)
class Window:
    """Time between two instants.

    Attributes:
        start: First instant; None for no bound. With a time zone.
        end: Instant after the last; None for no bound. With a time zone.
    """

    start: datetime | None = None
    end: datetime | None = None

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Return whether an instant from `start` to before `end` is in the window."""
        return (self.start is None or end > self.start) and (self.end is None or start < self.end)


@dataclass(frozen=True)
class LogFile:
    """Rows of one file that are in the window.

    Attributes:
        path: The file.
        header: What holds for all of its rows.
        rows: The rows, with the columns of `rows.SCHEMA`, in the order of their answers; at least one.
    """

    path: str
    header: LogHeader
    rows: pa.Table


def read_requests(folder: str, window: Window | None = None) -> Iterator[LogFile]:
    """Read the rows of a window, a file at a time, oldest hour first; one file holds rows of one version.

    Args:
        folder: Folder of the log, local or remote.
        window: Time of the answers; None for everything.

    Raises:
        Refused: The folder is not that of a log, or a file is damaged or of a newer format.
    """
    _check_folder(folder)
    window = window or Window()
    for path in list_files(f"{escape_glob(folder.rstrip('/'))}/*/*/*.parquet"):
        hour = _hour_of(path)
        if hour is None or not window.overlaps(hour, hour + _HOUR):
            continue
        found = _read(path)
        rows = _within(found.rows, window)
        if rows.num_rows:
            yield LogFile(path, found.header, rows)


def _check_folder(folder: str) -> None:
    """Check that a folder is that of a log. One without requests yet is told apart from a misspelled one.

    Raises:
        Refused: It does not exist, or holds something else.
    """
    if not is_folder(folder):
        raise Refused(
            f"{folder}: there is no such folder; give the one of `serve --request-log`, which exists from the server's"
            " start on, before the first request"
        )
    names = [name.rstrip("/") for name in list_folder(folder)]
    if names and not any(name == KEY_FILE or _DATE.fullmatch(name) for name in names):
        raise Refused(f"{folder}: is not a request log; give the folder of `serve --request-log`")


def _read(path: str) -> LogFile:
    try:
        with open_seekable(path) as file:
            table = pq.read_table(file)
        header = LogHeader.model_validate_json((table.schema.metadata or {})[HEADER_KEY])
        rows = _with_all_columns(table).select(SCHEMA.names).cast(SCHEMA)
        _check_labels(header, rows)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        reason = " ".join(reason.split())[:_MOST_CHARACTERS]
        raise Refused(f"{path}: is not a file of a request log, or it is damaged ({reason}); remove it") from None
    if header.format > LogHeader.model_fields["format"].default:
        raise Refused(f"{path}: is of a newer format ({header.format}); read it with the release that wrote it")
    return LogFile(path, header, rows)


def _check_labels(header: LogHeader, rows: pa.Table) -> None:
    """Check that every row has a probability of each label of the header.

    Raises:
        ValueError: One has not.
    """
    n_labels = len(header.labels)
    counts = pc.unique(pc.list_value_length(rows["probabilities"])).to_pylist()
    if len(header.thresholds) != n_labels or set(counts) - {n_labels}:
        raise ValueError(f"labels, thresholds and probabilities differ in number: {n_labels}, {counts}")


def _with_all_columns(table: pa.Table) -> pa.Table:
    """Return a table with the columns that earlier releases did not write, all null."""
    for each in SCHEMA:
        if each.nullable and each.name not in table.column_names:
            table = table.append_column(each, pa.nulls(table.num_rows, each.type))
    return table


def _within(rows: pa.Table, window: Window) -> pa.Table:
    bounds = [(pc.greater_equal, window.start), (pc.less, window.end)]
    for compare, bound in bounds:
        if bound is not None:
            rows = rows.filter(compare(rows["time"], pa.scalar(bound, SCHEMA.field("time").type)))
    return rows


def _hour_of(path: str) -> datetime | None:
    """Return the hour of a file; None if its folders are no date and hour."""
    date, hour = path.split("/")[-3:-1]
    try:
        return datetime.strptime(f"{date} {hour}", "%Y-%m-%d %H").replace(tzinfo=UTC)
    except ValueError:
        return None
