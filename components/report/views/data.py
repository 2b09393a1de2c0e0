"""Section of the report on the data: counts, label frequencies, quarantine, copies, drift."""

from dataclasses import dataclass

from markupsafe import Markup

from components.example_gen.report import IngestReport
from components.report.drawing.tables import Cell, Head, Table, count, number, text
from components.report.summary import DataSummary
from components.report.views.material import Material

_MOST_LABELS = 1_000


@dataclass(frozen=True)
class DataView:
    """Content of the section.

    Attributes:
        facts: (name, value) pairs.
        tables: Tables of labels, quarantine reasons, spans, drift, contradictions and retired labels, if there are any.
        warnings: Spans that were left out, and warnings of the data gate.
    """

    facts: list[tuple[str, str]]
    tables: list[Table]
    warnings: list[str]


def data_view(material: Material) -> DataView | None:
    """Return the content of the section; None if the run ended before any data was read."""
    rows, data, ingest = material.summary.rows, material.summary.data, material.ingest
    if rows is None:
        return None
    facts = [("read", f"{rows.read:,}"), ("accepted", f"{rows.accepted:,}"), ("quarantined", f"{rows.quarantined:,}")]
    if rows.merged:
        facts.append(("merged with copies", f"{rows.merged:,}"))
    splits = data.splits if data is not None else ingest.splits if ingest is not None else {}
    facts += [(split, f"{n_rows:,}") for split, n_rows in splits.items()]
    copies = data.duplicates if data is not None else None
    if copies is not None:
        facts.append(("texts with copies", f"{copies.texts:,} ({copies.rows:,} rows)"))
        facts.append(("texts with contradictory labels", f"{copies.contradictory:,}"))
    tables = [_labels(material, ingest)] if ingest is not None and ingest.labels else []
    if ingest is not None and ingest.reasons:
        reasons = [[text(reason), count(n_rows)] for reason, n_rows in ingest.reasons.items()]
        tables.append(Table("Quarantined rows by reason", [Head("reason", False), Head("rows")], reasons))
    return DataView(facts, tables + _summary_tables(material), _warnings(data) if data is not None else [])


def left_out(data: DataSummary) -> str:
    """Return which spans were left out, and why; empty if all were read."""
    spans = ", ".join(str(span) for span in data.incomplete_spans)
    return f"Spans left out, because an input has no files for them: {spans}" if spans else ""


def _warnings(data: DataSummary) -> list[str]:
    return [*filter(None, [left_out(data)]), *data.warnings]


def _labels(material: Material, ingest: IngestReport) -> Table:
    metrics = material.summary.metrics
    highest = max(each.count for each in ingest.labels.values())
    rows = []
    for label, found in list(ingest.labels.items())[:_MOST_LABELS]:
        share = found.count / ingest.accepted
        bar = Markup('<span class="bar" style="width:{:.1f}%"></span>').format(100 * found.count / highest)
        measured = metrics.per_label.get(label) if metrics is not None else None
        rows.append([
            text(label), count(found.count), Cell(f"{100 * share:.1f} %", share), Cell(bar, found.count),
            count(None if measured is None else measured.support),
        ])  # fmt: skip
    rows.sort(key=lambda row: -(row[1].key if isinstance(row[1].key, int) else 0))
    heads = [Head("label", False), Head("rows"), Head("share of rows"), Head("", False), Head("in test")]
    return Table("Label frequencies in all splits", heads, rows, "frequencies")


def _summary_tables(material: Material) -> list[Table]:
    data, tables = material.summary.data, []
    if data is None:
        return []
    if data.spans:
        spans = [
            [identifier(span.span), identifier(span.version), count(span.rows)] for span in data.spans
        ]  # fmt: skip
        tables.append(Table("Spans", [Head("span"), Head("version"), Head("rows")], spans))
    if data.drift:
        drift = [
            [text(each.feature), text(each.measure.replace("_", " ")), number(each.value), number(each.bound)]
            for each in data.drift
        ]
        heads = [Head("feature", False), Head("measure", False), Head("value"), Head("bound")]
        tables.append(Table(f"Drift from {data.compared_with}", heads, drift))
    if data.duplicates.contradictions:
        contradictions = [
            [text(", ".join(each.rows)), text(" / ".join("|".join(labels) or "(none)" for labels in each.labels))]
            for each in data.duplicates.contradictions
        ]
        heads = [Head("rows", False), Head("their labels", False)]
        tables.append(Table("Copies with contradictory labels (the first ones)", heads, contradictions))
    if data.retired_labels:
        retired = [[text(label), count(n_rows)] for label, n_rows in data.retired_labels.items()]
        tables.append(Table("Retired labels, which are ignored", [Head("label", False), Head("rows")], retired))
    return tables


def identifier(value: int | None) -> Cell:
    """Return the cell of a number that is a name, without separators."""
    return Cell("–" if value is None else str(value), value)
