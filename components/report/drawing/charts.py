"""Small charts as inline SVG, without scripts, fonts or colours: the style sheet applies in print and dark mode too.

All have the same size in CSS pixels, chosen for a phone; the page lays them out, and their text stays text.
"""

import math
from collections.abc import Iterator, Sequence
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
        css_class: Class of the style sheet, which stands for one thing on the whole page; see report.css.
        points: (x, y) pairs, in the order in which they are connected.
        dots: Whether to draw a dot at each point.
        joined: Whether to connect the points.
    """

    name: str
    css_class: str
    points: Sequence[Point]
    dots: bool = False
    joined: bool = True


@dataclass(frozen=True)
class Chart:
    """Chart with its caption and legend.

    Attributes:
        caption: Caption.
        svg: The drawing.
        legend: (css_class, name) of each line that has a name; the class `dots` is added for lines of dots only.
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
        names: Names of the ticks; empty for their values.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[float] = (0.0, 0.5, 1.0)
    names: Sequence[str] = ()

    @property
    def named_ticks(self) -> Iterator[tuple[float, str]]:
        """Ticks with the names that they are drawn with."""
        return zip(self.ticks, self.names or [_format(tick) for tick in self.ticks], strict=True)

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
    height: int = HEIGHT,
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
        height: Height in CSS pixels.
    """
    plot = _Plot(x, y, height)
    parts = [_head(caption, subject, height), *plot.axes()]
    if cut is not None:
        parts.append(plot.vertical("cut", cut))
    for line in lines:
        parts.append(_path(line, [plot.project(point) for point in line.points]))
    parts += [_dot("mark", *plot.project(point), 4.5) for point in marks]
    legend = [(line.css_class if line.joined else f"{line.css_class} dots", line.name) for line in lines if line.name]
    return Chart(caption, Markup("").join([*parts, Markup("</svg>")]), legend)


@dataclass(frozen=True)
class Bars:
    """Bars of one kind.

    Attributes:
        name: Name in the legend.
        css_class: Class of the style sheet.
        shares: Heights between 0 and 1, one for each bin.
    """

    name: str
    css_class: str
    shares: Sequence[float]


def bar_chart(caption: str, x: Axis, kinds: Sequence[Bars], *, subject: str = "", cut: float | None = None) -> Chart:
    """Draw bars over even bins of the horizontal axis, those of each kind side by side, on a square root scale.

    Args:
        caption: Caption.
        x: Horizontal axis.
        kinds: Bars, with the same number of bins each.
        subject: What the chart is about, for screen readers.
        cut: Position of a vertical line; None for none.
    """
    plot = _Plot(x, Axis("share of rows", 0, 1, (0.0, 0.1**0.5, 0.5**0.5, 1.0), ("0", "0.1", "0.5", "1")), HEIGHT)
    parts = [_head(caption, subject, HEIGHT), *plot.axes()]
    bins = len(kinds[0].shares)
    width = (WIDTH - _LEFT - _RIGHT) / bins / len(kinds)
    for index, each in enumerate(kinds):
        rectangles = []
        for position, share in enumerate(each.shares):
            if share:
                left, top = plot.project((x.low + (x.high - x.low) * position / bins, share**0.5))
                left += index * width
                rectangles.append(f"M{left:.1f} {plot.floor:.0f}V{top:.1f}h{width - 0.6:.1f}V{plot.floor:.0f}z")
        parts.append(Markup('<path class="{}" d="{}"/>').format(each.css_class, "".join(rectangles)))
    if cut is not None:
        parts.append(plot.vertical("cut", cut))
    legend = [(f"{each.css_class} dots", each.name) for each in kinds]
    return Chart(caption, Markup("").join([*parts, Markup("</svg>")]), legend)


@dataclass(frozen=True)
class _Plot:
    """Area between the axes of a drawing.

    Attributes:
        x: Horizontal axis.
        y: Vertical axis.
        height: Height of the whole drawing in CSS pixels.
    """

    x: Axis
    y: Axis
    height: int

    @property
    def floor(self) -> float:
        """Vertical position of the horizontal axis."""
        return self.height - _BOTTOM

    def project(self, point: Point) -> Point:
        """Return the position of a point in the drawing."""
        across = _LEFT + self.x.position(point[0], WIDTH - _LEFT - _RIGHT)
        return across, self.floor - self.y.position(point[1], self.floor - _TOP)

    def vertical(self, css_class: str, value: float) -> Markup:
        """Draw a vertical line over the whole height."""
        column = self.project((value, self.y.low))[0]
        return _segment(css_class, column, _TOP, column, self.floor)

    def axes(self) -> Iterator[Markup]:
        """Draw the grid, with the ticks' and the axes' names."""
        levels = [(self.project((self.x.low, tick))[1], name) for tick, name in self.y.named_ticks]
        columns = [(self.project((tick, self.y.low))[0], name) for tick, name in self.x.named_ticks]
        grid = [f"M{_LEFT} {_number(level)}H{WIDTH - _RIGHT}" for level, _ in levels]
        grid += [f"M{_number(column)} {_TOP}V{_number(self.floor)}" for column, _ in columns]
        yield Markup('<path class="grid" d="{}"/>').format("".join(grid))
        for level, name in levels:
            yield _text(_LEFT - 5, level + 4, "end", name)
        for index, (column, name) in enumerate(columns):
            wide = len(name) > 5  # centred, it would leave the drawing
            anchor = "middle" if not wide else "start" if index == 0 else "end"
            yield _text(column, self.floor + 14, anchor, name)
        if self.x.name:
            yield _text(_LEFT + (WIDTH - _LEFT - _RIGHT) / 2, self.height - 6, "middle", self.x.name)
        if self.y.name:
            side = '<text class="axis middle" transform="translate(10 {:.0f}) rotate(-90)">{}</text>'
            yield Markup(side).format(_TOP + (self.floor - _TOP) / 2, self.y.name)


def _head(caption: str, subject: str, height: int) -> Markup:
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title>')
    return head.format(WIDTH, height, f"{subject}: {caption}" if subject else caption)


def bullet(value: float | None, bound: float | None, css_class: str, tick_class: str = "bound") -> Markup:
    """Draw a bar from 0 to a value in 0..1, with a tick at the bound or at another value to compare with."""
    width, parts = 120, [Markup('<svg class="bullet" viewBox="0 0 120 14" aria-hidden="true">')]
    parts.append(Markup('<rect class="track" x="0" y="4" width="120" height="6" rx="3"/>'))
    if value is not None:
        bar = '<rect class="{}" x="0" y="4" width="{:.1f}" height="6" rx="3"/>'
        parts.append(Markup(bar).format(css_class, Axis("").position(value, width)))
    if bound is not None:
        column = min(max(Axis("").position(bound, width), 1.0), width - 1.0)
        parts.append(_segment(tick_class, column, 0, column, 14))
    return Markup("").join([*parts, Markup("</svg>")])


def compared_shares(shares: Sequence[tuple[str, float | None]], highest: float) -> Markup:
    """Draw one share as a bar and others as ticks over it.

    Args:
        shares: (css_class, share) pairs, the bar first; None draws nothing.
        highest: Share at the right end.
    """
    (first_class, first), *others = shares
    axis, width = Axis("", 0, highest), 120
    parts = [Markup('<svg class="bullet" viewBox="0 0 120 14" aria-hidden="true">')]
    if first is not None:
        bar = '<rect class="{}" x="0" y="4" width="{:.1f}" height="6" rx="1"/>'
        parts.append(Markup(bar).format(first_class, axis.position(first, width)))
    for css_class, share in others:
        if share is not None:
            column = min(max(axis.position(share, width), 1.5), width - 1.5)
            parts.append(_segment(css_class, column, 1, column, 13))
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


def round_ticks(low: float, high: float) -> list[float]:
    """Return three to six evenly spaced round numbers that include two values.

    Example:
        >>> round_ticks(0.512, 0.548)
        [0.51, 0.52, 0.53, 0.54, 0.55]
    """
    span = max(high - low, 0.01)
    step = next(size * 10.0**power for power in range(-4, 12) for size in (1, 2, 5) if size * 10.0**power * 4 >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 6) for number in range(first, max(last, first + 2) + 1)]


def _path(line: Line, points: Sequence[Point]) -> Markup:
    if not points:
        return Markup("")
    distinct = [points[0], *(end for start, end in pairwise(points) if _is_visible(start, end))]
    path = " ".join(f"{_number(x)},{_number(y)}" for x, y in distinct)
    drawn = Markup("")
    if line.joined:
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
    element = '<text class="axis {}" x="{}" y="{}">{}</text>'
    return Markup(element).format(anchor, _number(x), _number(y), escape(content))


def _number(position: float) -> str:
    """Return a position with one decimal, in few characters: a page has tens of thousands."""
    return f"{position:.1f}".removesuffix(".0")


def _format(value: float) -> str:
    return f"{value:.4g}"
