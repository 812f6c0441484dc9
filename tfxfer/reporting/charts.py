"""SVG charts, colored by a style sheet: lines by epoch, bars, and reliability diagrams."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

# In units of the viewBox, which are about the pixels of a phone.
_WIDTH, _HEIGHT = 440, 230

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 22, 34

# Radii of dots: the smallest, and what is added for a dot that stands for all images.
DOT, _ALL_IMAGES = 3.0, 9.0

# A line with more points has no dots.
_MOST_DOTS = 60

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: Name in the legend.
        style: CSS class.
        points: (x, y) in data units; a y that is not finite interrupts the line.
        notes: Tooltip of each point; empty shows its value.
        radii: Radius of each dot; empty uses one size.
        labels: Text beside each dot; empty shows none.
        is_scattered: Whether it is dots without a line, however many.
    """

    name: str
    style: str
    points: Sequence[Point]
    notes: Sequence[str] = ()
    radii: Sequence[float] = ()
    labels: Sequence[str] = ()
    is_scattered: bool = False


@dataclass(frozen=True)
class Chart:
    """A line chart.

    Attributes:
        title: Description for screen readers.
        x_label: Label of the x axis.
        series: The lines.
        y_range: Lowest and highest y; None is the range of the data.
        logarithmic: Whether the y axis is logarithmic.
        marks: Labeled vertical lines, as (x, label).
        best: x of the band that marks the best epoch, if any.
        height: In units of the viewBox.
        x_range: Lowest and highest x; None is the range of the data.
        x_ticks: Ticks of the x axis; empty is whole numbers.
    """

    title: str
    x_label: str
    series: Sequence[Series]
    y_range: tuple[float, float] | None = None
    logarithmic: bool = False
    marks: Sequence[tuple[float, str]] = ()
    best: float | None = None
    height: int = _HEIGHT
    x_range: tuple[float, float] | None = None
    x_ticks: Sequence[float] = field(default=())

    def draw(self) -> Markup:
        """Draws the chart as an `svg` element."""
        frame = _Frame(self)
        parts = [
            Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
                _WIDTH, self.height, self.title
            ),
            *frame.grid(),
            *(frame.mark(x, text) for x, text in self.marks),
        ]
        if self.best is not None:
            parts.append(frame.band(self.best))
        for series in self.series:
            parts += frame.line(series)
        return Markup("").join([*parts, Markup("</svg>")])


class _Frame:
    """The axes of a chart: maps values to coordinates."""

    def __init__(self, chart: Chart) -> None:
        points = [point for series in chart.series for point in series.points]
        self._log = chart.logarithmic
        values = [y for _, y in points if self._shown(y)] or [1.0]
        xs = [x for x, _ in points] or [0.0]
        self._bottom = chart.height - _BOTTOM
        self._x_label = chart.x_label
        self._x = chart.x_range or (min(xs), max(max(xs), min(xs) + 1))
        self._x_ticks = chart.x_ticks or whole_ticks(*self._x)
        if self._log:
            self._y_ticks = _powers(min(values), max(values))
            self._y = (min(values[0], *values, *self._y_ticks), max(*values, *self._y_ticks))
        else:
            low, high = chart.y_range or (min(values), max(values))
            self._y_ticks = nice_ticks(low, high)
            self._y = (min(low, self._y_ticks[0]), max(high, self._y_ticks[-1]))

    def _shown(self, y: float) -> bool:
        return math.isfinite(y) and (y > 0 or not self._log)

    def _place(self, x: float, y: float) -> Point:
        low, high = self._x
        across = (x - low) / (high - low)
        low, high = (math.log(v) for v in self._y) if self._log else self._y
        up = ((math.log(y) if self._log else y) - low) / ((high - low) or 1)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            self._bottom - up * (self._bottom - _TOP),
        )

    def grid(self) -> list[Markup]:
        """Returns grid lines and tick labels of both axes."""
        parts = []
        for y in self._y_ticks:
            _, place = self._place(self._x[0], y)
            parts.append(
                Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(
                    _LEFT, place, _WIDTH - _RIGHT
                )
                + Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                    _LEFT - 6, place + 4, f"{y:g}"
                )
            )
        for x in self._x_ticks:
            place, _ = self._place(x, self._y[0] or 1)
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    place, self._bottom + 15, f"{x:g}"
                )
            )
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
                _WIDTH - _RIGHT, self._bottom + 30, self._x_label
            )
        )
        return parts

    def mark(self, x: float, text: str) -> Markup:
        """Returns a vertical line with a label."""
        place, _ = self._place(x, self._y[0] or 1)
        return Markup(
            '<path class="mark" d="M{0:.1f} {1}V{2}"/>'
            '<text class="mark-text" x="{3:.1f}" y="{4}">{5}</text>'
        ).format(place, 4, self._bottom, place + 4, 13, text)

    def band(self, x: float) -> Markup:
        """Returns the band that marks the best epoch."""
        place, _ = self._place(x, self._y[0] or 1)
        return Markup('<path class="best" d="M{0:.1f} {1}V{2}"/>').format(place, _TOP, self._bottom)

    def line(self, series: Series) -> list[Markup]:
        """Returns a line, with dots unless there are many."""
        places = [self._place(x, y) if self._shown(y) else None for x, y in series.points]
        path, pen = [], "M"
        for place in places:
            if place is None:
                pen = "M"
                continue
            path.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
            pen = "L"
        parts = [Markup('<path class="line {}" d="{}"/>').format(series.style, "".join(path))]
        if series.is_scattered:
            parts = []
        radii = series.radii or [DOT] * len(places)
        if series.is_scattered or len(places) <= _MOST_DOTS:
            notes = series.notes or [f"{series.name}: {y:.4g}" for _, y in series.points]
            parts += [
                Markup(
                    '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}">'
                    "<title>{}</title></circle>"
                ).format(series.style, *place, radius, note)
                for place, radius, note in zip(places, radii, notes, strict=True)
                if place is not None
            ]
        return parts + [
            self._label(*place, radius, text)
            for place, radius, text in zip(places, radii, series.labels, strict=False)
            if place is not None
        ]

    def _label(self, x: float, y: float, radius: float, text: str) -> Markup:
        """Returns a text beside a dot, on the side where there is room."""
        side, anchor = (-1, "end") if x > (_LEFT + _WIDTH - _RIGHT) / 2 else (1, "start")
        return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
            x + side * (radius + 4), y - 4, anchor, text
        )


def legend(series: Sequence[Series]) -> Markup:
    """Returns the names of the series, each with a sample of its line."""
    return Markup("").join(
        Markup(
            '<span class="legend"><svg viewBox="0 0 24 8" aria-hidden="true">'
            '<path class="line {}" d="M0 4H24"/></svg>{}</span>'
        ).format(one.style, one.name)
        for one in series
    )


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Returns about `count` round numbers that enclose a range, ascending.

    Examples:
        >>> nice_ticks(0.94, 1.0)
        [0.94, 0.96, 0.98, 1.0]
    """
    span = (high - low) or abs(high) or 1.0
    rough = span / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 12) for number in range(first, max(last, first + 1) + 1)]


def whole_ticks(low: float, high: float, count: int = 8) -> list[float]:
    """Returns about `count` whole numbers within a range, ascending.

    Examples:
        >>> whole_ticks(0.5, 4.5)
        [1.0, 2.0, 3.0, 4.0]
    """
    step = max(1, round(nice_ticks(0, max(high - low, 1), count)[1]))
    first = math.ceil(low / step) * step
    return [float(number) for number in range(first, math.floor(high) + 1, step)]


def _powers(low: float, high: float) -> list[float]:
    """Returns the powers of ten that enclose a range of positive numbers, ascending."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def bars(shares: Sequence[tuple[str, float, str]]) -> Markup:
    """Returns horizontal bars of (name, length in [0, 1], label)."""
    return Markup("").join(
        Markup(
            '<div class="bar"><span>{}</span><i style="width:{:.1f}%"></i><b>{}</b></div>'
        ).format(name, 100 * share, text)
        for name, share, text in shares
    )


def reliability(bins: Sequence[tuple[float, float, int]]) -> Markup:
    """Draws a reliability diagram: accuracy (y axis) by confidence (x axis).

    Args:
        bins: Mean confidence, accuracy and number of images; see `calibration.Calibration`.
    """
    total = sum(count for *_, count in bins)
    ideal = Series("perfect calibration", "ideal", [(0, 0), (1, 1)], ["", ""])
    found = Series(
        "model",
        "validation",
        [(confidence, accuracy) for confidence, accuracy, _ in bins],
        [
            f"{count:,} of {total:,} images: confidence {confidence:.1%}, accuracy {accuracy:.1%}"
            for confidence, accuracy, count in bins
        ],
        [DOT + _ALL_IMAGES * math.sqrt(count / total) for *_, count in bins],
    )
    return Chart(
        title="Reliability diagram: accuracy by confidence",
        x_label="confidence",
        series=[ideal, found],
        y_range=(0, 1),
        x_range=(0, 1),
        x_ticks=[0, 0.2, 0.4, 0.6, 0.8, 1],
    ).draw()
