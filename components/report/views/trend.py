"""Macro F1 over the last runs, for the head of the report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from components.registry import find_record, versions
from components.report.drawing.charts import Axis, Chart, Line, chart, round_ticks
from components.report.summary import Summary
from schema.errors import Refused

MOST_RUNS = 20
_LEAST_RANGE = 0.04  # of the axis, so that chance does not look like a trend


@dataclass(frozen=True)
class PastResult:
    """Result of a run that judged a model.

    Attributes:
        when: Time of the run, in UTC.
        macro_f1: Macro F1 of its model on the test split of that run.
        pushed: Path of the version that it pushed; None if it pushed none.
    """

    when: datetime
    macro_f1: float
    pushed: str | None


def result_of(summary: Summary, when: datetime) -> PastResult | None:
    """Return the result of a run; None if it judged no model."""
    if summary.metrics is None or summary.metrics.macro_f1 is None:
        return None
    return PastResult(when, summary.metrics.macro_f1, summary.pushed)


def registry_results(registry: str) -> list[PastResult]:
    """Return the results that the registry's versions record, without copies that rollbacks have made, oldest first.

    Args:
        registry: Path of the registry; one in a bucket is read through TFX.

    Returns:
        The results; none if the registry cannot be read, since a report does without.
    """
    try:
        found = [(version, find_record(version)) for version in versions(registry)]
    except (OSError, Refused):
        return []
    return [
        PastResult(datetime.fromtimestamp(version.number, UTC), record.macro_f1, version.path)
        for version, record in found
        if record is not None and record.macro_f1 is not None and record.rolled_back_to is None
    ]


def merge_results(runs: Iterable[PastResult], versions: Iterable[PastResult]) -> list[PastResult]:
    """Return the results of runs, and of versions whose run is not among them, oldest first.

    Example:
        >>> run = PastResult(datetime(2026, 1, 2, tzinfo=UTC), 0.5, "registry/7")
        >>> older = PastResult(datetime(2026, 1, 1, tzinfo=UTC), 0.4, "registry/6")
        >>> [each.macro_f1 for each in merge_results([run], [run, older])]
        [0.4, 0.5]
    """
    known = list(runs)
    numbers = {_number(each.pushed) for each in known if each.pushed}
    others = [each for each in versions if each.pushed and _number(each.pushed) not in numbers]
    return sorted([*known, *others], key=lambda each: each.when)


def trend_chart(past: Sequence[PastResult], summary: Summary, when: datetime) -> Chart | None:
    """Draw macro F1 over the last runs up to this one.

    Args:
        past: Results of earlier runs; later ones, and this run's own, are left out.
        summary: Summary of this run.
        when: Time of this run.

    Returns:
        The chart; None if there are not two results to compare.
    """
    own = result_of(summary, when)
    ends = [] if own is None else [own]
    pushed = None if summary.pushed is None else _number(summary.pushed)
    before = [each for each in past if each.when < when and (each.pushed is None or _number(each.pushed) != pushed)]
    shown = [*sorted(before, key=lambda each: each.when), *ends][-MOST_RUNS:]
    if len(shown) < 2:
        return None
    values = [each.macro_f1 for each in shown]
    y = round_ticks(min(values), max(*values, min(values) + _LEAST_RANGE))
    last = len(shown) - 1
    x = Axis("", 0, last, (0, last), [f"{shown[index].when:%Y-%m-%d}" for index in (0, last)])
    points = [(float(index), each.macro_f1) for index, each in enumerate(shown)]
    lines = [Line("", "candidate", points)]
    for name, css_class, is_pushed in (("pushed", "candidate", True), ("not pushed", "hollow", False)):
        chosen = [point for point, each in zip(points, shown, strict=True) if (each.pushed is not None) == is_pushed]
        if chosen:
            lines.append(Line(name, css_class, chosen, dots=True, joined=False))
    name = "Macro F1 of the last runs, each on its own test split" + ("; the ring is this run" if ends else "")
    return chart(name, x, Axis("", y[0], y[-1], y), lines, marks=points[-1:] if ends else (), height=150)


def _number(path: str) -> str:
    """Return the number of a version by its path, which may be spelled in several ways."""
    return path.rstrip("/").rsplit("/", 1)[-1]
