"""Section of the report on the data: counts, label frequencies, quarantine, copies, drift."""

import math
from dataclasses import dataclass, field

from components.data_gate.distributions import Distributions
from components.example_gen.report import IngestReport
from components.report.drawing.charts import Axis, Chart, Line, chart, compared_shares
from components.report.drawing.tables import Cell, Head, Table, count, number, text
from components.report.summary import DataSummary
from components.report.views.material import Material

_MOST_LABELS = 1_000
# (name, css_class) of what label frequencies are compared in.
_COMPARED = (("train", "train"), ("test", "test"), ("last data", "last"))


@dataclass(frozen=True)
class DataView:
    """Content of the section.

    Attributes:
        facts: (name, value) pairs.
        tables: Tables of labels, quarantine reasons, spans, drift, contradictions and retired labels, if there are any.
        warnings: Spans that were left out, and warnings of the data gate.
        lengths: Distribution of text lengths; None if it is not known.
        compared: (css_class, name) of what the frequencies are compared in; empty if they are not.
    """

    facts: list[tuple[str, str]]
    tables: list[Table]
    warnings: list[str]
    lengths: Chart | None = None
    compared: list[tuple[str, str]] = field(default_factory=list)


def data_view(material: Material) -> DataView | None:
    """Return the content of the section; None if the run ended before any data was read."""
    rows, data, ingest = material.summary.rows, material.summary.data, material.ingest
    if rows is None:
        return None
    facts = [("read", f"{rows.read:,}"), ("accepted", f"{rows.accepted:,}"), ("quarantined", f"{rows.quarantined:,}")]
    if rows.merged:
        facts.append(("merged with copies", f"{rows.merged:,}"))
    if data is not None and data.soft_rows:
        facts.append(("with soft labels", f"{data.soft_rows:,}"))
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
    return DataView(
        facts,
        tables + _summary_tables(material),
        _warnings(data) if data is not None else [],
        _lengths_chart(material.distributions),
        [(css_class, name) for name, css_class in _COMPARED[: len(_shares(material))]] if tables else [],
    )


def left_out(data: DataSummary) -> str:
    """Return which spans were left out, and why; empty if all were read."""
    spans = ", ".join(str(span) for span in data.incomplete_spans)
    return f"Spans left out, because an input has no files for them: {spans}" if spans else ""


def _warnings(data: DataSummary) -> list[str]:
    return [*filter(None, [left_out(data)]), *data.warnings]


def _labels(material: Material, ingest: IngestReport) -> Table:
    """Return the labels' frequencies: in all splits and, where known, in train, in test and in the last data."""
    counts = dict(list(ingest.labels.items())[:_MOST_LABELS])
    shares = _shares(material)
    highest = max([share for each in shares for share in each.values()], default=1.0) or 1.0
    heads = [Head("label", False), Head("rows"), *(Head(f"{name}, %") for name, _ in _COMPARED[: len(shares)])]
    heads += [Head("", False)] if shares else [Head("share, %")]
    heads += [Head("without it"), Head("unknown")] if ingest.unknown else []
    rows = []
    for label, found in sorted(counts.items(), key=lambda item: -item[1].count):
        row = [text(label), count(found.count)]
        unknown = ingest.unknown.get(label, 0)
        known = ingest.accepted - unknown
        partly = [count(known - found.count), count(unknown)] if ingest.unknown else []
        if not shares:
            rows.append([*row, _percent(found.count / known), *partly])
            continue
        of_label = [each.get(label, 0.0) for each in shares]
        drawn = [(css_class, share) for (_, css_class), share in zip(_COMPARED, of_label, strict=False)]
        bar = Cell(compared_shares(drawn, highest), of_label[0])
        rows.append([*row, *(_percent(share) for share in of_label), bar, *partly])
    return Table("Label frequencies", heads, rows, "frequencies")


def _shares(material: Material) -> list[dict[str, float]]:
    """Return the share of rows by label in train, in test and, if there was any, in the last data.

    The rows are those that are known to have the label or not.
    """
    found = material.distributions
    if found is None or not {"train", "test"} <= found.splits.keys():
        return []
    compared = [found.splits["train"], found.splits["test"], *([found.last] if found.last is not None else [])]
    return [
        {label: n / max(each.rows - each.unknown.get(label, 0), 1) for label, n in each.labels.items()}
        for each in compared
    ]


def _percent(share: float) -> Cell:
    return Cell(f"{100 * share:.1f}", share)


def _lengths_chart(distributions: Distributions | None) -> Chart | None:
    """Draw the share of texts up to each length, in train, in test and in the last data."""
    if distributions is None:
        return None
    named = [("train", "train", distributions.splits.get("train")), ("test", "test", distributions.splits.get("test"))]
    named.append(("last data", "last", distributions.last))
    lines = [
        Line(name, css_class, [(math.log10(max(length, 1.0)), share) for length, share in each.lengths])
        for name, css_class, each in named
        if each is not None and each.lengths
    ]
    if not lines:
        return None
    xs = [x for line in lines for x, _ in line.points]
    low, high = math.floor(min(xs)), max(math.ceil(max(xs)), math.floor(min(xs)) + 1)
    powers = range(low, high + 1)
    axis = Axis("characters", low, high, list(powers), [f"{10**power:,}" for power in powers])
    return chart("Share of the texts that are no longer than a length", axis, Axis("share of texts"), lines)


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
    if data.completed_labels:
        completed = [[text(label), count(n_rows)] for label, n_rows in data.completed_labels.items()]
        heads = [Head("label", False), Head("rows")]
        tables.append(Table("Labels added to rows with another label that implies them", heads, completed))
    return tables


def identifier(value: int | None) -> Cell:
    """Return the cell of a number that is a name, without separators."""
    return Cell("–" if value is None else str(value), value)
