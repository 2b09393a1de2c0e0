"""Section of the report on the canary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.canary.verdict import TOLERANCE, CanaryVerdict
from components.registry import CanaryFindings
from components.report.drawing.tables import Cell, Head, Table, text
from components.report.views.decision import status_cell


@dataclass(frozen=True)
class CanaryView:
    """Content of the section.

    Attributes:
        passed: Whether the model answers well enough to be pushed.
        reasons: Why not.
        facts: (name, value) pairs.
        latency: Latencies beside the live model's; None if they were not measured.
        note: Why they were not measured.
    """

    passed: bool
    reasons: Sequence[str]
    facts: Sequence[tuple[str, str]]
    latency: Table | None
    note: str


def canary_view(canary: CanaryVerdict | None) -> CanaryView | None:
    """Return the content of the section; None if no model was tried."""
    if canary is None:
        return None
    findings = canary.findings
    note = findings.latency_note and f"Latency: {findings.latency_note}."
    return CanaryView(canary.passed, canary.reasons, list(_facts(findings)), _latency(findings), note)


def _facts(findings: CanaryFindings) -> Iterator[tuple[str, str]]:
    yield "requests answered correctly", f"{findings.requests:,}"
    if findings.largest_difference is not None:
        rows = f"{findings.compared_rows:,} row{'s' * (findings.compared_rows != 1)}"
        yield (
            "largest difference from the Trainer's probabilities",
            f"{findings.largest_difference:.2g} on {rows} ({TOLERANCE:g} allowed)",
        )
    if findings.peak_memory_mb is not None:
        limit = "no limit" if findings.memory_limit_mb is None else f"{findings.memory_limit_mb:,} allowed"
        yield "peak memory", f"{findings.peak_memory_mb:,} MiB ({limit})"
    if findings.load_s is not None:
        cpu = "" if findings.load_cpu_s is None else f" ({findings.load_cpu_s:.1f} s of processor time)"
        yield "time to load", f"{findings.load_s:.1f} s{cpu}"


def _latency(findings: CanaryFindings) -> Table | None:
    if not findings.latency:
        return None
    heads = [
        Head("request", False),
        Head("status", False),
        *map(Head, ("candidate, ms", "live model, ms", "bound, ms")),
    ]
    rows = [
        [
            text(each.request),
            status_cell("passed" if each.passed else "failed"),
            *(Cell(f"{ms:,.1f}", ms) for ms in (each.candidate_ms, each.baseline_ms, each.bound_ms)),
        ]
        for each in findings.latency
    ]
    return Table("Median latency", heads, rows, sortable=False)
