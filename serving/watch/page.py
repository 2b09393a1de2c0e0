"""watch.html: what a look at the answers has found, with curves over the looks before it; needs no network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.report.drawing.charts import Axis, Chart, Line, chart, ticks
from components.report.drawing.tables import Cell, Head, Table, text
from components.report.page import VISIBLE, environment
from serving.watch.result import BEFORE, TRAINING, Distance, WatchedModel, WatchResult

PAGE_FILE = "watch.html"
_TEMPLATES = Path(__file__).parent / "templates"
_STYLES = {TRAINING: "candidate", BEFORE: "baseline"}
_MOST_CHARTS = 24
_COLUMNS = ("feature", "compared with", "measure", "value", "bound", "in words")


@dataclass(frozen=True)
class _Model:
    """Answers of a model, as the template gets them."""

    title: str
    table: Table | None
    charts: Sequence[Chart]
    notes: Sequence[str]


def build_page(name: str, result: WatchResult, earlier: Sequence[WatchResult]) -> str:
    """Return the content of watch.html.

    Args:
        name: Name of the pipeline.
        result: What was found.
        earlier: What was found before, oldest first.
    """
    drifted = [each.sentence for each in result.drifted]
    is_judged = any(model.distances for model in result.models)
    headline = "The answers have drifted" if drifted else "No drift" if is_judged else "Too few answers to judge"
    shared = environment()
    templates = Environment(
        loader=FileSystemLoader([_TEMPLATES, *shared.loader.searchpath]),  # type: ignore[union-attr]
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shared.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.tests.update(shared.tests)
    (folder,) = shared.loader.searchpath  # type: ignore[union-attr]
    content: dict[str, Any] = {
        "style": Markup((Path(folder) / "report.css").read_text(encoding="utf-8")),
        "name": name,
        "window": f"{result.start} to {result.end}",
        "css_class": "bad" if drifted else "good" if is_judged else "stopped",
        "headline": headline,
        "reasons": drifted,
        "models": [_model(model, [*earlier, result]) for model in result.models],
    }
    return templates.get_template("watch.html.j2").render(content).translate(VISIBLE)


def _model(model: WatchedModel, looks: Sequence[WatchResult]) -> _Model:
    version = f"version {model.version}" if model.version is not None else f"model {model.model_id[:12]}"
    by_excess = sorted(model.distances, key=lambda each: -each.value / each.bound)
    return _Model(
        title=f"{version}: {model.rows:,} texts in the window, {model.rows_before:,} in the window before",
        table=_table(by_excess) if by_excess else None,
        charts=list(_charts(by_excess, looks)),
        notes=model.notes,
    )


def _table(distances: Sequence[Distance]) -> Table:
    heads = [Head(name, numeric=name in ("value", "bound")) for name in _COLUMNS]
    rows = [
        [
            text(each.feature), text(each.compared_with), text(each.measure),
            Cell(f"{each.value:.3f}", each.value, "down" if each.has_drifted else ""),
            Cell(f"{each.bound:g}", each.bound),
            text(each.words),
        ]
        for each in distances
    ]  # fmt: skip
    return Table("Distances, those closest to their bounds first", heads, rows, sortable=False)


def _charts(distances: Sequence[Distance], looks: Sequence[WatchResult]) -> Iterator[Chart]:
    """Draw the distance of each feature over all looks, with its bound."""
    for feature in list(dict.fromkeys(each.feature for each in distances))[:_MOST_CHARTS]:
        series = {
            compared_with: [
                (float(index), found.value)
                for index, look in enumerate(looks)
                if (found := _find(look, feature, compared_with)) is not None
            ]
            for compared_with in (TRAINING, BEFORE)
        }
        bound = next(each.bound for each in distances if each.feature == feature)
        highest = max([bound, *(value for points in series.values() for _, value in points)])
        levels = ticks(highest)
        last = max(len(looks) - 1, 1)
        ends = [looks[0].end[:10], looks[-1].end[:10]]
        lines = [Line("bound", "cut", [(0.0, bound), (float(last), bound)])]
        lines += [
            Line(compared_with, _STYLES[compared_with], points, dots=True)
            for compared_with, points in series.items()
            if points
        ]
        yield chart(feature, Axis("", 0, last, (0, last), ends), Axis("", 0, max(levels), levels), lines, height=170)


def _find(look: WatchResult, feature: str, compared_with: str) -> Distance | None:
    """Return a distance of the model with the most rows of a look."""
    for model in look.models[:1]:
        for each in model.distances:
            if (each.feature, each.compared_with) == (feature, compared_with):
                return each
    return None
