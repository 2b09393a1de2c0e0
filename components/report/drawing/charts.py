"""Small charts as inline SVG, without scripts, fonts or colours: the style sheet applies in print and dark mode too.

All have the same size in CSS pixels, chosen for a phone; the page lays them out, and their text stays text.
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
    """Line of a chart.

    Attributes:
        name: Name in the legend; empty for none.
        css_class: Class of the style sheet: candidate, baseline, precision, recall, f1, guide.
        points: (x, y) pairs, in the order in which they are connected.
        dots: Whether to draw a dot at each point.
    """

    name: str
    css_class: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """Chart with its caption and legend.

    Attributes:
        caption: Caption.
        svg: The drawing.
        legend: (css_class, name) of each line that has a name.
    """

    caption: str
    svg: Markup
    legend: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Axis:
    """Axis of a chart.

    Attributes:
        name: What it measures.
        low: Lowest value.
        high: Highest value.
        ticks: Values with a grid line.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[float] = (0.0, 0.5, 1.0)

    def position(self, value: float, length: float) -> float:
        """Return the position of a value on an axis of a length; values beyond an end are at that end."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return length * min(max(share, 0.0), 1.0)


def chart(
    caption: str,
    x: Axis,
    y: Axis,
    lines: Sequence[Line],
    *,
    subject: str = "",
    marks: Sequence[Point] = (),
    cut: float | None = None,
) -> Chart:
    """Draw a line chart.

    Args:
        caption: Caption.
        x: Horizontal axis.
        y: Vertical axis.
        lines: Lines, drawn in this order, later ones on top.
        subject: What the chart is about, for screen readers, which do not convey where on the page it is.
        marks: Points to highlight.
        cut: Position of a vertical line; None for none.
    """
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def project(point: Point) -> Point:
        return _LEFT + x.position(point[0], width), _TOP + height - y.position(point[1], height)

    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title>')
    parts = [head.format(WIDTH, HEIGHT, f"{subject}: {caption}" if subject else caption)]
    for tick in y.ticks:
        level = project((x.low, tick))[1]
        parts.append(_segment("grid", _LEFT, level, WIDTH - _RIGHT, level))
        parts.append(_text(_LEFT - 5, level + 4, "end", _format(tick)))
    for tick in x.ticks:
        column = project((tick, y.low))[0]
        parts.append(_segment("grid", column, _TOP, column, _TOP + height))
        parts.append(_text(column, HEIGHT - _BOTTOM + 14, "middle", _format(tick)))
    parts.append(_text(_LEFT + width / 2, HEIGHT - 6, "middle", x.name))
    parts.append(
        Markup('<text class="axis" transform="translate(10 {:.0f}) rotate(-90)" text-anchor="middle">{}</text>').format(
            _TOP + height / 2, y.name
        )
    )
    if cut is not None:
        column = project((cut, y.low))[0]
        parts.append(_segment("cut", column, _TOP, column, _TOP + height))
    for line in lines:
        parts.append(_path(line, [project(point) for point in line.points]))
    parts += [_dot("mark", *project(point), 4.5) for point in marks]
    legend = [(line.css_class, line.name) for line in lines if line.name]
    return Chart(caption, Markup("").join([*parts, Markup("</svg>")]), legend)


def bullet(value: float | None, bound: float | None, css_class: str) -> Markup:
    """Draw a bar from 0 to a value in 0..1, with a tick at the bound."""
    width, parts = 120, [Markup('<svg class="bullet" viewBox="0 0 120 14" aria-hidden="true">')]
    parts.append(Markup('<rect class="track" x="0" y="4" width="120" height="6" rx="3"/>'))
    if value is not None:
        bar = '<rect class="{}" x="0" y="4" width="{:.1f}" height="6" rx="3"/>'
        parts.append(Markup(bar).format(css_class, Axis("").position(value, width)))
    if bound is not None:
        column = min(max(Axis("").position(bound, width), 1.0), width - 1.0)
        parts.append(_segment("bound", column, 0, column, 14))
    return Markup("").join([*parts, Markup("</svg>")])


def ticks(high: float) -> tuple[float, ...]:
    """Return a few round numbers from 0 to `high`, or to a little more.

    Example:
        >>> ticks(30)
        (0.0, 10.0, 20.0, 30.0)
    """
    sizes = (size * 10.0**power for power in range(-6, 12) for size in (1, 2, 5))
    step = next((size for size in sizes if size * 4 >= high), high / 4)
    return tuple(step * number for number in range(5) if step * (number - 1) < high)


def _path(line: Line, points: Sequence[Point]) -> Markup:
    if not points:
        return Markup("")
    distinct = [points[0], *(end for start, end in pairwise(points) if _is_visible(start, end))]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in distinct)
    drawn = Markup('<polyline class="line {}" points="{}"/>').format(line.css_class, path)
    dots = [_dot(f"dot {line.css_class}", *point, 3) for point in points] if line.dots else []
    return Markup("").join([drawn, *dots])


def _is_visible(start: Point, end: Point) -> bool:
    return max(abs(start[0] - end[0]), abs(start[1] - end[1])) >= 0.1


def _dot(css_class: str, x: float, y: float, radius: float) -> Markup:
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(css_class, x, y, radius)


def _segment(css_class: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    segment = '<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    return Markup(segment).format(css_class, x1, y1, x2, y2)


def _text(x: float, y: float, anchor: str, content: str) -> Markup:
    element = '<text class="axis" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
    return Markup(element).format(x, y, anchor, escape(content))


def _format(value: float) -> str:
    return f"{value:.4g}"
