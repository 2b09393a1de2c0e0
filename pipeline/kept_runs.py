"""Which of the past runs are kept, wherever they ran."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class EndedRun:
    """A past run.

    Attributes:
        key: What it is known by.
        started: When it started.
        is_needed: Whether something else needs it, such as the model in service.
        has_model: Returns whether it trained a model; called only where it matters.
    """

    key: Hashable
    started: datetime
    is_needed: bool
    has_model: Callable[[], bool]


def choose_kept(newest_first: Iterable[EndedRun], keep: int, before: datetime) -> Iterator[Hashable]:
    """Yield the keys of the runs that are kept.

    Args:
        newest_first: The runs.
        keep: Number of newest runs that are kept, of those that trained a model; of those that ended before, as many,
            unless they are older than all of these.
        before: Runs that started later are kept as well.

    Example:
        >>> from datetime import UTC
        >>> night = lambda day, has_model: EndedRun(day, datetime(2026, 11, day, tzinfo=UTC), False, lambda: has_model)
        >>> nights = [night(day, day != 4) for day in (5, 4, 3, 2)]
        >>> list(choose_kept(nights, 2, datetime(2026, 11, 6, tzinfo=UTC)))
        [5, 4, 3]
    """
    trained = ended_before = 0
    for run in newest_first:
        is_kept = run.is_needed or run.started >= before
        if trained >= keep:
            if is_kept:
                yield run.key
            continue
        has_model = run.has_model()
        if is_kept or has_model or ended_before < keep:
            yield run.key
        trained += has_model
        ended_before += not has_model
