"""Spans and versions in the patterns of inputs, as TFX defines them.

`{SPAN}` or `{SPAN:WIDTH}` in a pattern is a number, `{VERSION}` or `{VERSION:WIDTH}` the number of an edition of the
same span, and `{YYYY}-{MM}-{DD}`, in any arrangement, a date, whose span is the number of days since 1970-01-01.
Source: https://www.tensorflow.org/tfx/guide/examplegen and `tfx.components.example_gen.utils`, which gives the same
results for one pattern. It is not used here because it resolves one span at a time, in a driver that open-source
Kubeflow does not run, and imports TensorFlow.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple, Protocol

from components.example_gen.sources.settings import SpanRange
from schema.errors import Refused

_EPOCH = date(1970, 1, 1)
_SPAN = re.compile(r"\{SPAN(?::(?P<width>.*?))?\}")
_VERSION = re.compile(r"\{VERSION(?::(?P<width>.*?))?\}")
_DATE_PARTS = {"{YYYY}": r"(?P<year>\d{4})", "{MM}": r"(?P<month>\d{2})", "{DD}": r"(?P<day>\d{2})"}
_GLOB_PARTS = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


class SpanVersion(NamedTuple):
    """Span of the data; `version` is None if its pattern has no {VERSION}."""

    span: int
    version: int | None


class _HasSpan(Protocol):
    """A `SpanVersion`, or a record that says more about a span."""

    @property
    def span(self) -> int: ...

    @property
    def version(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class SpanPattern:
    """Pattern with a span in it.

    Attributes:
        glob: Glob that matches the files of every span.
        regex: Expression that captures span and version from the path of such a file, relative to the same folder.
    """

    glob: str
    regex: re.Pattern[str]

    def span_of(self, name: str) -> SpanVersion | None:
        """Return the span and version of a file; None if its path has no number or date where the span should be."""
        match = self.regex.fullmatch(name)
        if match is None:
            return None
        groups = match.groupdict()
        version = groups.get("version")
        try:
            span = int(groups["span"]) if "span" in groups else _days(groups)
        except ValueError:  # 2026-02-31
            return None
        return SpanVersion(span, None if version is None else int(version))


def parse_pattern(pattern: str) -> SpanPattern | None:
    """Parse a pattern; return None if it has no span.

    Raises:
        Refused: A placeholder is repeated, lacks the ones that it needs, or has a width that is not a positive number.

    Example:
        >>> parse_pattern("{YYYY}-{MM}-{DD}/*.csv").span_of("1970-01-03/a.csv")
        SpanVersion(span=2, version=None)
    """
    spans, versions = _SPAN.findall(pattern), _VERSION.findall(pattern)
    dates = [part for part in _DATE_PARTS if part in pattern]
    if not spans and not dates:
        if versions:
            raise Refused(f"'{pattern}' has {{VERSION}} without {{SPAN}} or a date; a version is one of a span")
        return None
    if spans and dates:
        raise Refused(f"'{pattern}' has both {{SPAN}} and a date; a date is a span, so leave one of them out")
    if len(spans) > 1 or len(versions) > 1:
        raise Refused(f"'{pattern}' has {{{'SPAN' if len(spans) > 1 else 'VERSION'}}} twice; leave one of them out")
    if dates and any(pattern.count(part) != 1 for part in _DATE_PARTS):
        raise Refused(f"'{pattern}': a date is made of {{YYYY}}, {{MM}} and {{DD}}, once each")
    glob = _VERSION.sub("*", _SPAN.sub("*", pattern))
    for part in _DATE_PARTS:
        glob = glob.replace(part, "*")
    return SpanPattern(glob, _regex(pattern))


def choose_spans(available: Iterable[int], wanted: SpanRange) -> list[int]:
    """Return the spans that a run reads, ascending; empty if none is within the bounds.

    Example:
        >>> choose_spans([1, 2, 3, 4], SpanRange(last=2, skip_newest=1))
        [2, 3]
    """
    first, last = span_number(wanted.not_before), span_number(wanted.not_after)
    within = sorted(span for span in available if (first is None or span >= first) and (last is None or span <= last))
    kept = within[: max(0, len(within) - wanted.skip_newest)]
    return kept if wanted.last is None else kept[-wanted.last :]


def days_available(wanted: SpanRange, now: datetime | None = None) -> range:
    """Return the spans of a source that can be queried for any UTC day: every past day, as far back as needed.

    Args:
        wanted: Spans to read.
        now: Present time, which tests set.

    Raises:
        Refused: All spans are wanted, but no first one is set.
    """
    today = (now or datetime.now(UTC)).date()
    end = (today - _EPOCH).days  # today is not over, and so left out
    first = span_number(wanted.not_before)
    if first is None:
        if wanted.last is None:
            raise Refused("examples.spans: last is null, so that every day is wanted; set not_before")
        until = span_number(wanted.not_after)
        first = (end if until is None else min(end, until + 1)) - wanted.skip_newest - wanted.last
    return range(first, end)


def newest(spans: Iterable[_HasSpan]) -> tuple[int, int]:
    """Return number and version of the newest span, -1 for no version; (-1, -1) if there are no spans."""
    return max(((each.span, -1 if each.version is None else each.version) for each in spans), default=(-1, -1))


def span_number(bound: int | date | None) -> int | None:
    """Return a bound as the number of a span: a date becomes days since 1970-01-01, a number or None stays."""
    return (bound - _EPOCH).days if isinstance(bound, date) else bound


def describe_spans(spans: Sequence[SpanVersion], *, dates: bool) -> str:
    """Return spans as text, as dates or as numbers.

    Example:
        >>> describe_spans([SpanVersion(1, None), SpanVersion(2, 7)], dates=True)
        '1970-01-02, 1970-01-03 (version 7)'
    """
    return ", ".join(
        (date.fromordinal(_EPOCH.toordinal() + span).isoformat() if dates else str(span))
        + ("" if version is None else f" (version {version})")
        for span, version in spans
    )


def _days(groups: dict[str, str]) -> int:
    return (date(int(groups["year"]), int(groups["month"]), int(groups["day"])) - _EPOCH).days


def _regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression: placeholders become groups, wildcards what they match."""
    special = [re.escape(part) for part in (*_DATE_PARTS, *_GLOB_PARTS)]
    tokens = re.split(rf"({_unnamed(_SPAN)}|{_unnamed(_VERSION)}|{'|'.join(special)}|\[!?\]?[^]]*\])", pattern)
    return re.compile("".join(_as_regex(token, pattern) for token in tokens), re.DOTALL)


def _as_regex(token: str, pattern: str) -> str:
    if match := _SPAN.fullmatch(token):
        return f"(?P<span>{_digits(match['width'], pattern)})"
    if match := _VERSION.fullmatch(token):
        return f"(?P<version>{_digits(match['width'], pattern)})"
    if token.startswith("[") and token.endswith("]") and len(token) > 2:
        return "[" + ("^" + token[2:] if token[1] == "!" else token[1:])
    return _DATE_PARTS.get(token) or _GLOB_PARTS.get(token) or re.escape(token)


def _digits(width: str | None, pattern: str) -> str:
    if width is None:
        return r"\d+"
    if not (width.isascii() and width.isdigit() and int(width) > 0):
        raise Refused(f"'{pattern}': the width '{width}' is not a positive number")
    return rf"\d{{{int(width)}}}"


def _unnamed(expression: re.Pattern[str]) -> str:
    return expression.pattern.replace("(?P<width>", "(?:")
