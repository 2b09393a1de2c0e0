"""Small charts as inline SVG: no script, no font and no colour of their own, so that print and dark mode reach them.

All share one size, in the units of a phone's pixels: the page lays them out, and their letters stay letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

Point = tuple[float, float]

WIDTH, HEIGHT = 320, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 10, 10, 36


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: In the legend; empty for none.
        look: Its class in the style sheet: candidate, baseline, precision, recall, f1, guide.
        points: (x, y), from left to right or as the curve runs.
        dots: Whether each point gets a dot as well.
    """

    name: str
    look: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart with its caption and its legend: (look, name) of each line that has a name."""

    caption: str
    svg: Markup
    legend: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Axis:
    """An axis: what it means, where it begins and ends, and where its ticks are."""

    name: str
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[float] = (0.0, 0.5, 1.0)

    def at(self, value: float, size: float) -> float:
        """How far along an axis of a size a value lies; at the end, what lies beyond it."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return size * min(max(share, 0.0), 1.0)


def chart(
    caption: str,
    x: Axis,
    y: Axis,
    lines: Sequence[Line],
    *,
    of: str = "",
    marks: Sequence[Point] = (),
    cut: float | None = None,
) -> Chart:
    """A line chart.

    Args:
        caption: What it shows.
        x: The horizontal axis.
        y: The vertical axis.
        lines: Drawn in their order, later ones above.
        of: Of what, for whoever does not see where on the page it stands.
        marks: Points that are made much of.
        cut: Where a vertical line stands, None for nowhere.
    """
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def place(point: Point) -> Point:
        return _LEFT + x.at(point[0], wide), _TOP + high - y.at(point[1], high)

    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title>')
    parts = [head.format(WIDTH, HEIGHT, f"{of}: {caption}" if of else caption)]
    for tick in y.ticks:
        level = place((x.low, tick))[1]
        parts.append(_segment("grid", _LEFT, level, WIDTH - _RIGHT, level))
        parts.append(_word(_LEFT - 5, level + 4, "end", _number(tick)))
    for tick in x.ticks:
        column = place((tick, y.low))[0]
        parts.append(_segment("grid", column, _TOP, column, _TOP + high))
        parts.append(_word(column, HEIGHT - _BOTTOM + 14, "middle", _number(tick)))
    parts.append(_word(_LEFT + wide / 2, HEIGHT - 6, "middle", x.name))
    parts.append(
        Markup('<text class="axis" transform="translate(10 {:.0f}) rotate(-90)" text-anchor="middle">{}</text>').format(
            _TOP + high / 2, y.name
        )
    )
    if cut is not None:
        column = place((cut, y.low))[0]
        parts.append(_segment("cut", column, _TOP, column, _TOP + high))
    for line in lines:
        parts.append(_path(line, [place(point) for point in line.points]))
    parts += [_dot("mark", *place(point), 4.5) for point in marks]
    legend = [(line.look, line.name) for line in lines if line.name]
    return Chart(caption, Markup("").join([*parts, Markup("</svg>")]), legend)


def bullet(value: float | None, bound: float | None, look: str) -> Markup:
    """A bar from 0 to a value in 0..1, of a class in the style sheet, and a tick where the bound is."""
    wide, parts = 120, [Markup('<svg class="bullet" viewBox="0 0 120 14" aria-hidden="true">')]
    parts.append(Markup('<rect class="track" x="0" y="4" width="120" height="6" rx="3"/>'))
    if value is not None:
        bar = '<rect class="{}" x="0" y="4" width="{:.1f}" height="6" rx="3"/>'
        parts.append(Markup(bar).format(look, Axis("").at(value, wide)))
    if bound is not None:
        place = min(max(Axis("").at(bound, wide), 1.0), wide - 1.0)
        parts.append(_segment("bound", place, 0, place, 14))
    return Markup("").join([*parts, Markup("</svg>")])


def ticks(high: float) -> tuple[float, ...]:
    """A few round numbers from 0 to `high` or a little more."""
    sizes = (size * 10.0**power for power in range(-6, 12) for size in (1, 2, 5))
    step = next((size for size in sizes if size * 4 >= high), high / 4)
    return tuple(step * number for number in range(5) if step * (number - 1) < high)


def _path(line: Line, points: Sequence[Point]) -> Markup:
    if not points:
        return Markup("")
    steps = [points[0], *(there for here, there in pairwise(points) if _apart(here, there))]
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in steps)
    drawn = Markup('<polyline class="line {}" points="{}"/>').format(line.look, path)
    dots = [_dot(f"dot {line.look}", *point, 3) for point in points] if line.dots else []
    return Markup("").join([drawn, *dots])


def _apart(here: Point, there: Point) -> bool:
    return max(abs(here[0] - there[0]), abs(here[1] - there[1])) >= 0.1


def _dot(look: str, across: float, down: float, radius: float) -> Markup:
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(look, across, down, radius)


def _segment(look: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    segment = '<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    return Markup(segment).format(look, x1, y1, x2, y2)


def _word(across: float, down: float, anchor: str, text: str) -> Markup:
    word = '<text class="axis" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
    return Markup(word).format(across, down, anchor, escape(text))


def _number(value: float) -> str:
    return f"{value:.4g}"
