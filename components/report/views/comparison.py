"""Two runs side by side: metrics, gates, labels, slices, configuration, and examples where they differ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from components.evaluation.gates.result import GateResult
from components.evaluation.insights.insights import LabelMistakes, Mistake
from components.evaluation.metrics.catalogue import lower_is_better
from components.report.drawing.charts import bullet
from components.report.drawing.tables import Cell, Head, Table, any_number, change, count, display_name, number, text
from components.report.summary import LabelSummary, Summary
from components.report.views.decision import status_cell
from components.report.views.material import Material

_MOST_EXAMPLES = 60  # pairs of label and kind with examples
_METRICS = ("macro_f1", "micro_f1", "macro_precision", "macro_recall", "macro_auc", "macro_pr_auc", "hamming_loss")
_FIRST, _SECOND = "first", "second"


@dataclass(frozen=True)
class ComparedSection:
    """Section of the page.

    Attributes:
        name: Id on the page.
        title: Heading.
        tables: Tables.
        note: What to know of them; empty for nothing.
    """

    name: str
    title: str
    tables: Sequence[Table]
    note: str = ""


@dataclass(frozen=True)
class DifferentExamples:
    """Examples on which one run decides a label wrongly and the other does not.

    Attributes:
        label: The label.
        kind: "wrongly given" or "missed".
        first: Mistakes of the first run only.
        second: Mistakes of the second run only.
        first_may_be_shared: Whether the second run has more mistakes than it keeps, so that it may share them.
        second_may_be_shared: The same, of the first run.
    """

    label: str
    kind: str
    first: Sequence[Mistake]
    second: Sequence[Mistake]
    first_may_be_shared: bool
    second_may_be_shared: bool


@dataclass(frozen=True)
class Comparison:
    """Content of the page.

    Attributes:
        data_note: Whether both runs read the same data, in a sentence.
        sections: Sections with tables.
        examples: Examples where the runs differ.
    """

    data_note: str
    sections: Sequence[ComparedSection]
    examples: Sequence[DifferentExamples]


def compare(first: Material, second: Material) -> Comparison:
    """Return two runs side by side."""
    candidates = [
        ComparedSection("metrics", "Metrics", _metrics(first.summary, second.summary)),
        ComparedSection("gates", "Gates", _gates(first.summary.gates, second.summary.gates)),
        ComparedSection("labels", "Labels", _labels(first.summary, second.summary), "Those that lost most come first."),
        ComparedSection("slices", "Slices", _slices(first.summary, second.summary)),
        ComparedSection("configuration", "Configuration", _configuration(first.configuration, second.configuration)),
    ]
    return Comparison(
        _data_note(first, second), [each for each in candidates if each.tables], list(_examples(first, second))
    )


def _data_note(first: Material, second: Material) -> str:
    if first.ingest is None or second.ingest is None or not (first.ingest.digest and second.ingest.digest):
        return "Whether both runs read the same data is not known."
    if first.ingest.digest == second.ingest.digest:
        return "Both runs read the same data."
    return "The runs read different data, so differences may come from their test splits."


def _metrics(first: Summary, second: Summary) -> list[Table]:
    if first.metrics is None or second.metrics is None:
        return []
    rows = []
    for name in (
        "macro_f1",
        "micro_f1",
        "macro_precision",
        "macro_recall",
        "macro_auc",
        "macro_pr_auc",
        "hamming_loss",
    ):
        values = getattr(first.metrics, name), getattr(second.metrics, name)
        if values != (None, None):
            direction = -1 if lower_is_better(name) else 1
            rows.append([text(display_name(name)), *map(number, values), change(values[1], values[0], direction)])
    rows.append([text("test rows"), count(first.metrics.examples), count(second.metrics.examples), Cell("")])
    return [Table("On the test split", _heads("metric"), rows, "metrics")]


def _gates(first: Sequence[GateResult], second: Sequence[GateResult]) -> list[Table]:
    by_run = [{gate.gate: gate for gate in gates} for gates in (first, second)]
    names = dict.fromkeys([gate.gate for gate in (*first, *second)])
    if not names:
        return []
    rows = []
    for name in names:
        row = [text(name)]
        for gates in by_run:
            gate = gates.get(name)
            row += [Cell("–"), Cell("–")] if gate is None else [status_cell(gate.status), _value(gate.value)]
        rows.append(row)
    heads = [Head("gate", False)]
    heads += [head for run in (_FIRST, _SECOND) for head in (Head(run, False), Head("value", full=f"of the {run} run"))]
    return [Table("Gates of either run", heads, rows, "gates", sortable=False)]


def _labels(first: Summary, second: Summary) -> list[Table]:
    if first.metrics is None or second.metrics is None:
        return []
    per_label = first.metrics.per_label, second.metrics.per_label
    rows = []
    for label in dict.fromkeys([*per_label[0], *per_label[1]]):
        old, new = (each.get(label) for each in per_label)
        f1 = [None if each is None else each.f1 for each in (old, new)]
        bar = Cell(bullet(f1[1], f1[0], "candidate", "baseline"), f1[1])
        supports = [count(None if each is None else each.support) for each in (old, new)]
        thresholds = [number(_threshold(each)) for each in (old, new)]
        rows.append([text(label), *map(number, f1), change(f1[1], f1[0]), bar, *supports, *thresholds])
    rows.sort(key=lambda row: row[3].key if isinstance(row[3].key, float) else 2.0)
    heads = [*_heads("label"), Head("", False)]
    heads += [Head(f"rows, {run}") for run in (_FIRST, _SECOND)]
    heads += [Head(f"threshold, {run}") for run in (_FIRST, _SECOND)]
    return [Table("F1 of each label; the tick on the bar is the first run", heads, rows, "labels")]


def _slices(first: Summary, second: Summary) -> list[Table]:
    shared = [name for name in first.slices if name in second.slices]
    rows = []
    for name in shared:
        old, new = (summary.slices[name]["candidate"] for summary in (first, second))
        cells = [number(old.micro_f1), number(new.micro_f1), change(new.micro_f1, old.micro_f1)]
        rows.append([text(name), *cells, count(old.examples), count(new.examples)])
    heads = [*_heads("slice"), *(Head(f"rows, {run}") for run in (_FIRST, _SECOND))]
    return [Table("Micro F1 of the slices that both have", heads, rows, "slices")] if rows else []


def _configuration(first: str, second: str) -> list[Table]:
    """Return the keys whose values differ, of two configurations in YAML."""
    old, new = (dict(_flatten(yaml.safe_load(each) or {})) for each in (first, second))
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key, "–") != new.get(key, "–")]
    if not first or not second:
        return []
    rows = [[text(key), text(old.get(key, "–")), text(new.get(key, "–"))] for key in keys]
    heads = [Head("key", False), Head(_FIRST, False), Head(_SECOND, False)]
    return [Table("Keys that differ" if keys else "The configurations do not differ", heads, rows, "configuration")]


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted keys of a configuration with their values as text."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _flatten(each, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _examples(first: Material, second: Material) -> Iterator[DifferentExamples]:
    if first.insights is None or second.insights is None:
        return
    found = []
    for label, old in first.insights.mistakes.items():
        new = second.insights.mistakes.get(label)
        if new is not None:
            found += [_differ(label, old, new, kind, first) for kind in ("wrongly given", "missed")]
    differing = [each for each in found if each.first or each.second]
    yield from sorted(differing, key=lambda each: -len(each.first) - len(each.second))[:_MOST_EXAMPLES]


def _differ(label: str, old: LabelMistakes, new: LabelMistakes, kind: str, material: Material) -> DifferentExamples:
    given = kind == "wrongly given"
    kept = [each.wrongly_given if given else each.missed for each in (old, new)]
    totals = [each.false_positives if given else each.false_negatives for each in (old, new)]
    ids = [{mistake.id for mistake in mistakes} for mistakes in kept]
    first = [mistake for mistake in kept[0] if mistake.id not in ids[1]][: material.mistakes]
    second = [mistake for mistake in kept[1] if mistake.id not in ids[0]][: material.mistakes]
    if not material.texts:
        first, second = (
            [mistake.model_copy(update={"text": "", "text_pair": None}) for mistake in each] for each in (first, second)
        )
    return DifferentExamples(label, kind, first, second, totals[1] > len(kept[1]), totals[0] > len(kept[0]))


def _heads(first: str) -> list[Head]:
    return [Head(first, False), Head(_FIRST), Head(_SECOND), Head("change")]


def _threshold(measured: LabelSummary | None) -> float | None:
    return None if measured is None else measured.threshold


def _value(value: Any) -> Cell:
    return any_number(value) or Cell("–")
