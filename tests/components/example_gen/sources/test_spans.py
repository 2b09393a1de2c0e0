"""Spans and versions in patterns, compared with TFX's own results."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfx.components.example_gen import utils as tfx_utils
from tfx.proto import example_gen_pb2

from components.example_gen.sources.settings import SpanRange
from components.example_gen.sources.sources import find_sources
from components.example_gen.sources.spans import (
    SpanVersion,
    choose_spans,
    days_available,
    describe_spans,
    parse_pattern,
)
from schema.errors import Refused
from tests.components.example_gen.support import csv_text, distinct_rows, settings_for, write_file


def span_of(pattern: str, name: str) -> SpanVersion | None:
    parsed = parse_pattern(pattern)
    assert parsed is not None
    return parsed.span_of(name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("span-{SPAN}/a.csv", "span-12/a.csv", (12, None)),
        ("span-{SPAN:4}/*.csv", "span-0012/x.csv", (12, None)),
        ("span-{SPAN:4}/*.csv", "span-12/x.csv", None),
        ("{SPAN}/v{VERSION}/*", "3/v10/x", (3, 10)),
        ("{SPAN}/v{VERSION:2}/*", "3/v01/x", (3, 1)),
        ("{YYYY}-{MM}-{DD}/*.csv", "1970-01-02/x.csv", (1, None)),
        ("{YYYY}{MM}{DD}.csv", "20261123.csv", (20780, None)),
        ("{YYYY}/{MM}/{DD}/v{VERSION}.csv", "2026/11/23/v7.csv", (20780, 7)),
        ("{YYYY}-{MM}-{DD}.csv", "2026-02-31.csv", None),
        ("{SPAN}.csv", "latest.csv", None),
        ("{SPAN}/[ab]?.csv", "1/a1.csv", (1, None)),
        ("{SPAN}/[!ab].csv", "1/c.csv", (1, None)),
        ("{SPAN}/**/x+y(1).csv", "1/some/where/x+y(1).csv", (1, None)),
    ],
)
def test_reads_the_span_from_a_name(pattern: str, name: str, expected: tuple[int, int | None] | None) -> None:
    assert span_of(pattern, name) == expected


def test_accepts_a_pattern_without_span() -> None:
    assert parse_pattern("train/*.csv") is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{VERSION}/a", "a version is one of a span"),
        ("{SPAN}/{YYYY}-{MM}-{DD}", "both {SPAN} and a date"),
        ("{SPAN}/{SPAN}", "{SPAN} twice"),
        ("{SPAN}/{VERSION}/{VERSION:2}", "{VERSION} twice"),
        ("{YYYY}-{MM}", "once each"),
        ("{SPAN:x}", "width 'x' is not a positive number"),
        ("{SPAN:0}", "width '0' is not a positive number"),
    ],
)
def test_refuses_an_invalid_pattern(pattern: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_pattern(pattern)
    assert message in str(refused.value)
    with pytest.raises(ValueError):  # noqa: PT011 - TFX refuses the same patterns, with messages of its own
        _resolve_with_tfx(Path("/nowhere"), pattern)


@given(st.sets(st.integers(0, 200)), st.integers(1, 5), st.integers(0, 3))
def test_chooses_the_newest_spans(available: set[int], last: int, skip: int) -> None:
    chosen = choose_spans(available, SpanRange(last=last, skip_newest=skip))
    newest_first = sorted(available, reverse=True)[skip:]
    assert chosen == sorted(newest_first[:last])


def test_accepts_dates_as_bounds() -> None:
    wanted = SpanRange(last=None, not_before=date(1970, 1, 3), not_after=5)
    assert choose_spans(range(10), wanted) == [2, 3, 4, 5]


def test_offers_only_days_that_are_over() -> None:
    now = datetime(1970, 1, 11, 3, tzinfo=UTC)
    assert choose_spans(days_available(SpanRange(last=3), now), SpanRange(last=3)) == [7, 8, 9]
    wanted = SpanRange(last=2, skip_newest=1)
    assert choose_spans(days_available(wanted, now), wanted) == [7, 8]
    wanted = SpanRange(last=2, not_after=5)
    assert choose_spans(days_available(wanted, now), wanted) == [4, 5]
    with pytest.raises(Refused, match="set not_before"):
        days_available(SpanRange(last=None), now)


def test_describes_spans_as_dates_or_numbers() -> None:
    assert describe_spans([SpanVersion(20780, 2)], dates=True) == "2026-11-23 (version 2)"
    assert describe_spans([SpanVersion(7, None), SpanVersion(8, None)], dates=False) == "7, 8"


def write_csv_files(base: Path, *names: str) -> None:
    for name in names:
        write_file(base / name, csv_text(distinct_rows(3)))


def _resolve_with_tfx(base: Path, *patterns: str) -> tuple[int | None, int | None, list[str]]:
    splits = [example_gen_pb2.Input.Split(name=f"s{n}", pattern=pattern) for n, pattern in enumerate(patterns)]
    _, span, version = tfx_utils.calculate_splits_fingerprint_span_and_version(str(base), splits)
    return span, version, [split.pattern for split in splits]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("day-{SPAN}/a.csv", ["day-1/a.csv", "day-9/a.csv", "day-10/a.csv"]),
        ("day-{SPAN:3}/*.csv", ["day-001/a.csv", "day-009/a.csv", "day-009/b.csv"]),
        ("{SPAN}/v{VERSION}/a.csv", ["1/v1/a.csv", "2/v1/a.csv", "2/v10/a.csv", "2/v9/a.csv"]),
        ("{YYYY}-{MM}-{DD}/a.csv", ["2026-09-30/a.csv", "2026-10-01/a.csv"]),
        ("{YYYY}{MM}{DD}/v{VERSION:2}/a.csv", ["20260930/v03/a.csv", "20261001/v01/a.csv", "20261001/v02/a.csv"]),
    ],
)
def test_chooses_the_newest_span_as_tfx_does(tmp_path: Path, pattern: str, names: list[str]) -> None:
    write_csv_files(tmp_path, *names)
    inputs = [{"pattern": pattern, "split": {"train": 1, "eval": 1, "test": 1}}]
    sources = find_sources(settings_for(tmp_path, inputs=inputs))
    span, version, patterns = _resolve_with_tfx(tmp_path, pattern)
    assert sources.spans == ((span, version),)
    assert [file.path for file in sources.files] == sorted(str(path) for path in tmp_path.glob(patterns[0]))
    assert {file.span for file in sources.files} == {span}
