"""Section of the report on variants: what each costs in F1, label by label, and what it gains in size and time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.registry import Latency
from components.report.drawing.tables import Cell, Head, Table, change, count, number, text
from components.report.summary import MetricsSummary, Summary
from components.report.views.decision import status_cell
from components.variants.results import VariantResult, VariantResults


@dataclass(frozen=True)
class VariantsView:
    """Content of the section.

    Attributes:
        note: Why there are none; empty otherwise.
        costs: The variants beside the full model.
        left_out: (name, reasons) of the variants that were left out.
        labels: F1 of each label; None if no variant was measured.
    """

    note: str
    costs: Table
    left_out: Sequence[tuple[str, Sequence[str]]]
    labels: Table | None


def variants_view(summary: Summary) -> VariantsView | None:
    """Return the content of the section; None if the configuration asks for no variants."""
    found = summary.variants
    if found is None:
        return None
    return VariantsView(
        found.note,
        _costs(found, summary.metrics),
        [(each.name, each.reasons) for each in found.variants if not each.holds],
        _labels(found, summary.metrics),
    )


def _costs(found: VariantResults, full: MetricsSummary | None) -> Table:
    requests = list(dict.fromkeys(latency.request for each in found.variants for latency in _latencies(each)))
    heads = [
        *(Head("model", False), Head("status", False), Head("macro F1"), Head("change"), Head("worst label", False)),
        *(Head("its change"), Head("size, MB"), *(Head(f"{request}, ms") for request in requests)),
    ]
    macro_f1 = None if full is None else full.macro_f1
    rows = [
        [
            *(text("full"), Cell(""), number(macro_f1), Cell(""), Cell(""), Cell("")),
            _size(found.full_size_mb),
            *(_milliseconds(_full_latency(found, request)) for request in requests),
        ]
    ]
    for each in found.variants:
        own = None if each.metrics is None else each.metrics.macro_f1
        worst = min(_changes(each, full), key=lambda item: item[1], default=None)
        times = {latency.request: latency.candidate_ms for latency in _latencies(each)}
        rows.append(
            [
                text(each.name),
                status_cell("passed" if each.holds else "failed"),
                *(number(own), change(own, macro_f1)),
                *((Cell("–"), Cell("–")) if worst is None else (text(worst[0]), change(worst[1], 0.0))),
                _size(each.size_mb),
                *(_milliseconds(times.get(request)) for request in requests),
            ]
        )
    return Table("Cost on the test split, and gain in size and median latency", heads, rows, sortable=False)


def _labels(found: VariantResults, full: MetricsSummary | None) -> Table | None:
    measured = [each for each in found.variants if each.metrics is not None]
    if full is None or not measured:
        return None
    heads = [Head("label", False), Head("support"), Head("F1, full")]
    heads += [head for each in measured for head in (Head(f"F1, {each.name}"), Head("change"))]
    rows = []
    for label, of_full in full.per_label.items():
        row = [text(label), count(of_full.support), number(of_full.f1)]
        for each in measured:
            own = each.metrics.value("f1", label) if each.metrics is not None else None
            row += [number(own), change(own, of_full.f1)]
        rows.append(row)
    return Table("F1 of each label, each model at thresholds of its own", heads, rows, "variants-labels")


def _changes(each: VariantResult, full: MetricsSummary | None) -> Iterator[tuple[str, float]]:
    """Yield the change of each label's F1 from the full model's."""
    if full is None or each.metrics is None:
        return
    for label, of_full in full.per_label.items():
        own = each.metrics.value("f1", label)
        if own is not None and of_full.f1 is not None:
            yield label, own - of_full.f1


def _latencies(each: VariantResult) -> Sequence[Latency]:
    return () if each.canary is None else each.canary.latency


def _full_latency(found: VariantResults, request: str) -> float | None:
    """Return the lowest of the full model's latencies, which was measured beside each variant."""
    times = [each.baseline_ms for variant in found.variants for each in _latencies(variant) if each.request == request]
    return min(times, default=None)


def _size(megabytes: float | None) -> Cell:
    return Cell("–" if megabytes is None else f"{megabytes:,.1f}", megabytes)


def _milliseconds(value: float | None) -> Cell:
    return Cell("–" if value is None else f"{value:,.1f}", value)
