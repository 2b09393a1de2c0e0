"""The request log: what is written, what is kept from it, and what happens when there is no room."""

import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.example_gen.sources.spans import parse_pattern
from schema.errors import Refused
from serving.request_log.reader import LogFile, Window, read_requests
from serving.request_log.rows import LoggedAnswer, LogHeader, Pieces
from serving.request_log.settings import RequestLogSettings
from serving.request_log.slices import parse_slices
from serving.request_log.writer import RequestLog

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HEADER = LogHeader(model="small", version=7, model_id="m", labels=("a", "b"), thresholds=(0.5, 0.25))


def answer(*texts: str, at: datetime = NOON, **changes: Any) -> LoggedAnswer:
    """Return an answer whose texts have the probabilities 0.75 and 0.25, which is b's threshold."""
    values: dict[str, Any] = {
        "header": HEADER,
        "time": at.timestamp(),
        "api": "rest",
        "request_id": None,
        "latency_ms": 1.5,
        "texts": [text.encode() for text in texts],
        "pairs": None,
        "probabilities": np.array([[0.75, 0.25]] * len(texts), np.float32),
    }
    return LoggedAnswer(**values | changes)


def write(folder: Path, *answers: LoggedAnswer, **settings: Any) -> RequestLog:
    with RequestLog(RequestLogSettings(folder=str(folder), **settings)) as log:
        for each in answers:
            if log.takes():
                log.offer(each)
    return log


def rows(folder: Path, window: Window | None = None) -> list[dict[str, Any]]:
    return [row for file in read_requests(str(folder), window) for row in file.rows.to_pylist()]


def count_words(texts: Sequence[bytes], pairs: Sequence[bytes] | None) -> Pieces:  # noqa: ARG001
    pieces = [len(text.split()) for text in texts]
    return Pieces(pieces, [0] * len(pieces), [count > 2 for count in pieces])


def test_rows_are_read_back_with_their_version_probabilities_and_decisions(tmp_path: Path) -> None:
    log = write(tmp_path, answer("my refund", "what on earth", count_pieces=count_words), texts=True)
    (file,) = read_requests(str(tmp_path))
    assert file.header == HEADER
    first, second = file.rows.to_pylist()
    assert first == {
        "id": f"{first['request']}-0", "request": first["request"], "time": NOON, "api": "rest", "latency_ms": 1.5,
        "text": "my refund", "text_pair": None, "characters": 9, "pair_characters": None,
        "pieces": 2, "unknown_pieces": 0, "is_cut": False, "probabilities": [0.75, 0.25], "labels": ["a"],
        "language": None, "slices": None,
    }  # fmt: skip
    assert (second["text"], second["id"], second["is_cut"]) == ("what on earth", f"{first['request']}-1", True)
    assert (log.counts.written, log.counts.dropped, log.counts.waiting) == (2, 0, 0)
    assert log.counts.bytes == Path(file.path).stat().st_size


def test_texts_and_ids_are_kept_out_unless_asked_for(tmp_path: Path) -> None:
    private = "call me at 555-0100"
    write(tmp_path, answer(private, request_id="user-17"), answer("b", request_id="user-17", pairs=[private.encode()]))
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*.parquet"))
    # Parquet compresses columns, so the values are looked at as well.
    found = rows(tmp_path)
    assert "555" not in str(found)
    assert "user-17" not in str(found)
    assert b"user-17" not in content
    assert [row["characters"] for row in found] == [19, 1]
    assert [row["pair_characters"] for row in found] == [None, 19]
    assert found[0]["request"] == found[1]["request"], "one id is hashed alike, to be found again"
    assert (tmp_path / ".key").stat().st_mode & 0o077 == 0


def test_hashes_are_stable_over_restarts_and_differ_between_logs(tmp_path: Path) -> None:
    for folder in ("one", "one", "other"):
        write(tmp_path / folder, answer("a", request_id="x"))
    assert len({row["request"] for row in rows(tmp_path / "one")}) == 1
    assert rows(tmp_path / "one")[0]["request"] != rows(tmp_path / "other")[0]["request"]


def test_files_are_by_hour_and_version_and_a_window_reads_no_others(tmp_path: Path) -> None:
    later = NOON + timedelta(minutes=90)
    other = HEADER.model_copy(update={"version": 8, "labels": ("a", "c")})
    write(tmp_path, answer("a"), answer("b", at=later), answer("c", at=later, header=other), texts=True)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet"))
    assert [name.rpartition("-")[0] for name in names] == ["2026-11-28/12/7", "2026-11-28/13/7", "2026-11-28/13/8"]
    pattern = parse_pattern("{YYYY}-{MM}-{DD}/*/*.parquet")
    assert pattern is not None
    assert all(pattern.span_of(name) is not None for name in names)
    (tmp_path / names[0]).write_bytes(b"damaged")
    assert [row["text"] for row in rows(tmp_path, Window(start=NOON + timedelta(hours=1)))] == ["b", "c"]
    assert rows(tmp_path, Window(start=later + timedelta(seconds=1), end=later + timedelta(hours=1))) == []
    with pytest.raises(Refused, match="is not a file of a request log"):
        rows(tmp_path, Window(end=later))


def test_a_window_ends_before_its_end(tmp_path: Path) -> None:
    write(tmp_path, *(answer(str(minute), at=NOON + timedelta(minutes=minute)) for minute in range(4)), texts=True)
    window = Window(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))
    assert [row["text"] for row in rows(tmp_path, window)] == ["1", "2"]


def test_rows_beyond_the_queue_are_dropped_and_counted_in_the_next_file(tmp_path: Path) -> None:
    log = write(tmp_path, answer("a", "b"), answer("c", "d"), answer("e"), queue_rows=3)
    assert log.counts.dropped == 2
    (file,) = read_requests(str(tmp_path))
    assert file.header.dropped == 2
    assert file.rows.num_rows == 3


def test_a_disk_that_cannot_be_written_drops_rows_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "2026-11-28").write_text("in the way of the folder")
    log = write(tmp_path, answer("a"), answer("b", at=NOON + timedelta(days=1)))
    assert (log.counts.written, log.counts.dropped) == (1, 1)


def test_offering_returns_at_once_while_a_file_is_written(tmp_path: Path) -> None:
    release = threading.Event()

    def count_slowly(texts: Sequence[bytes], pairs: Sequence[bytes] | None) -> Pieces:
        assert release.wait(10)
        return count_words(texts, pairs)

    with RequestLog(RequestLogSettings(folder=str(tmp_path), rows_per_file=1)) as log:
        log.offer(answer("a", count_pieces=count_slowly))
        started = time.monotonic()
        for _ in range(1000):
            log.offer(answer("b"))
        assert time.monotonic() - started < 5
        assert log.counts.written == 0
        release.set()
    assert log.counts.written == 1001


def test_the_oldest_files_are_removed_above_the_size_and_strangers_are_left(tmp_path: Path) -> None:
    random_text = np.random.default_rng(0).integers(32, 127, 400_000, np.uint8).tobytes().decode()
    stranger = tmp_path / "notes" / "1" / "mine.parquet"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("mine")
    for hour in range(6):
        write(tmp_path, answer(random_text, at=NOON + timedelta(hours=hour)), texts=True, max_mb=1)
    left = [path.parent.name for path in sorted(tmp_path.glob("2026*/*/*.parquet"))]
    assert left
    assert left == ["12", "13", "14", "15", "16", "17"][-len(left) :]
    assert sum(path.stat().st_size for path in tmp_path.glob("2026*/*/*.parquet")) <= 1 << 20
    assert not (tmp_path / "2026-11-28" / "12").exists()
    assert stranger.read_text() == "mine"


def test_a_sample_is_of_requests(tmp_path: Path) -> None:
    write(tmp_path, *(answer("a", "b") for _ in range(400)), sample=0.25)
    files: list[LogFile] = list(read_requests(str(tmp_path)))
    requests = {row["request"] for file in files for row in file.rows.to_pylist()}
    assert 50 < len(requests) < 150
    assert sum(file.rows.num_rows for file in files) == 2 * len(requests)
    assert files[0].header.sample == 0.25


def test_a_remote_folder_and_a_damaged_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="needs a local folder"):
        RequestLog(RequestLogSettings(folder="gs://bucket/log"))
    (tmp_path / ".key").write_bytes(b"short")
    with pytest.raises(Refused, match=r"\.key: is damaged"):
        RequestLog(RequestLogSettings(folder=str(tmp_path)))


def test_servers_that_start_at_once_share_one_whole_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[bytes] = []

    def link(source: Path, target: Path) -> None:
        """Create the link, after another server has created its own."""
        monkeypatch.undo()
        write(tmp_path)
        first.append(target.read_bytes())
        os.link(source, target)

    monkeypatch.setattr(os, "link", link)
    write(tmp_path)
    assert (tmp_path / ".key").read_bytes() == first[0]
    assert [path.name for path in tmp_path.iterdir()] == [".key"]


def test_a_log_without_requests_yet_is_told_apart_from_a_misspelled_folder(tmp_path: Path) -> None:
    write(tmp_path / "log")
    (tmp_path / "empty").mkdir()
    assert rows(tmp_path / "log") == rows(tmp_path / "empty") == []
    with pytest.raises(
        Refused, match=r"gol: there is no such folder; give the one of `serve --request-log`, which exis"
    ):
        rows(tmp_path / "gol")
    with pytest.raises(Refused, match=r": is not a request log; give the folder of `serve --request-log`$"):
        rows(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    write(tmp_path, answer("a"))
    (path,) = tmp_path.rglob("*.parquet")
    table = pq.read_table(path)
    newer = HEADER.model_copy(update={"format": 2}).model_dump_json().encode()
    pq.write_table(table.replace_schema_metadata({b"bert_multilabel": newer}), path)
    with pytest.raises(Refused, match="newer format"):
        rows(tmp_path)


def test_languages_and_slices_are_kept_without_the_texts(tmp_path: Path) -> None:
    text = "Wo bleibt meine Bestellung? Ich warte seit zwei Wochen auf das Paket."
    sent = {"channel": ["chat", None], "a [b] <c>": ["x/y", "z"]}
    write(tmp_path / "log", answer(text, "ok", slices=sent))
    first, second = rows(tmp_path / "log")
    assert (first["text"], first["language"], dict(first["slices"])) == (
        None,
        "de",
        {"channel": "chat", "a [b] <c>": "x/y"},
    )
    assert (second["language"], dict(second["slices"])) == (None, {"a [b] <c>": "z"})
    write(tmp_path / "without", answer(text), languages=False)
    assert [row["language"] for row in rows(tmp_path / "without")] == [None]


def test_files_of_earlier_releases_are_read(tmp_path: Path) -> None:
    write(tmp_path, answer("a"))
    (path,) = tmp_path.rglob("*.parquet")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["language", "slices"]), path)
    assert [(row["labels"], row["language"], row["slices"]) for row in rows(tmp_path)] == [(["a"], None, None)]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, {}),
        ("", {}),
        ("no JSON", {}),
        ("[1]", {}),
        ("[" * 100_000, {}),
        ('{"other": "x"}', {}),
        ('{"channel": "chat", "size": 3, "other": "x"}', {"channel": ["chat"] * 2, "size": ["3"] * 2}),
        ('{"channel": ["chat", null], "size": [1]}', {"channel": ["chat", None]}),
        ('{"channel": {"a": 1}}', {"channel": [None, None]}),
    ],
)
def test_a_header_with_slices_never_fails_a_request(header: str | None, found: dict[str, list[str | None]]) -> None:
    assert parse_slices(header, ["channel", "size"], 2) == found
    long = parse_slices('{"channel": "' + "x" * 10_000 + '"}', ["channel"], 1)
    assert long == {"channel": ["x" * 200]}
