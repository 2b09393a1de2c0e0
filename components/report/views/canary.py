"""What a report says of the canary: whether it passed, and what it found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.canary.verdict import TOLERANCE, CanaryVerdict
from components.registry import CanaryFindings
from components.report.drawing.tables import Cell, Head, Table, text
from components.report.views.decision import outcome_cell


@dataclass(frozen=True)
class CanaryView:
    """The section on the canary.

    Attributes:
        passed: Whether the model may go live, as far as answering goes.
        reasons: Why not.
        facts: (name, value) pairs.
        latency: Beside the live model's; None where that was not measured.
        note: Why not.
    """

    passed: bool
    reasons: Sequence[str]
    facts: Sequence[tuple[str, str]]
    latency: Table | None
    note: str


def canary_view(canary: CanaryVerdict | None) -> CanaryView | None:
    """None where no model was tried."""
    if canary is None:
        return None
    found = canary.findings
    note = found.latency_note and f"Latency: {found.latency_note}."
    return CanaryView(canary.passed, canary.reasons, list(_facts(found)), _latency(found), note)


def _facts(found: CanaryFindings) -> Iterator[tuple[str, str]]:
    yield "requests answered as they should be", f"{found.requests:,}"
    if found.largest_difference is not None:
        rows = f"{found.compared_rows:,} row{'s' * (found.compared_rows != 1)}"
        yield (
            "largest difference to the Trainer's probabilities",
            f"{found.largest_difference:.2g} on {rows} ({TOLERANCE:g} allowed)",
        )
    if found.peak_memory_mb is not None:
        limit = "no limit" if found.memory_limit_mb is None else f"{found.memory_limit_mb:,} allowed"
        yield "peak memory", f"{found.peak_memory_mb:,} MiB ({limit})"
    if found.load_s is not None:
        yield "loaded in", f"{found.load_s:.1f} s"


def _latency(found: CanaryFindings) -> Table | None:
    if not found.latency:
        return None
    heads = [
        Head("request", False),
        Head("outcome", False),
        *map(Head, ("candidate, ms", "live model, ms", "bound, ms")),
    ]
    rows = [
        [
            text(each.request),
            outcome_cell("held" if each.passed else "failed"),
            *(Cell(f"{ms:,.1f}", ms) for ms in (each.candidate_ms, each.baseline_ms, each.bound_ms)),
        ]
        for each in found.latency
    ]
    return Table("Latency, median", heads, rows, sortable=False)
