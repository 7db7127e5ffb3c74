"""Charts as coordinates; chart.svg.j2 draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Size of the picture and of what is around the plot (left, right, top, bottom), in its own units.
WIDTH, HEIGHT = 480, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 8, 34
#: Room that a mark's words take.
LABEL = 44, 14

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """A point with words: `label` beside it, `told` when the mouse is over it."""

    x: float
    y: float
    label: str
    told: str
    chosen: bool = False


@dataclass(frozen=True)
class Series:
    """A line, with its colour's number and the marks on it."""

    name: str
    colour: int
    points: Points
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Chart:
    """A chart to draw. `limits` are horizontal lines with a name; `zero` has the vertical axis begin at 0."""

    title: str
    unit: str
    across: str
    series: Sequence[Series]
    limits: Sequence[tuple[float, str]] = field(default=())
    zero: bool = True


def drawn(chart: Chart) -> dict[str, object]:
    """Returns what the template substitutes; at least one series has a point."""
    across = [x for series in chart.series for x, _ in series.points]
    up = [y for series in chart.series for _, y in series.points] + [limit for limit, _ in chart.limits]
    x_ticks = ticks(min(across), max(across))
    y_ticks = ticks(0.0 if chart.zero else min(up), max(up))

    def x(value: float) -> float:
        low, high = min(across[0], x_ticks[0]), max(max(across), x_ticks[-1])
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - TOP - BOTTOM), 1)

    places: list[tuple[float, float]] = []

    def label(mark: Mark) -> str:
        """Returns the words beside the mark, "" where they would cover others."""
        place = (x(mark.x), y(mark.y))
        if any(abs(place[0] - other[0]) < LABEL[0] and abs(place[1] - other[1]) < LABEL[1] for other in places):
            return ""
        places.append(place)
        return mark.label

    # The chosen one has its words first.
    marks = sorted((mark for series in chart.series for mark in series.marks), key=lambda mark: not mark.chosen)
    labels = {id(mark): label(mark) for mark in marks}
    return {
        "title": chart.title,
        "unit": chart.unit,
        "across": chart.across,
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "x_ticks": [(x(value), f"{value:g}") for value in x_ticks],
        "y_ticks": [(y(value), f"{value:g}") for value in y_ticks],
        "limits": [(y(limit), y(limit) + (14 if y(limit) < TOP + 14 else -4), name) for limit, name in chart.limits],
        "series": [
            {
                "name": series.name,
                "colour": series.colour % 8,
                "points": " ".join(f"{x(across)},{y(up)}" for across, up in series.points),
                "marks": [
                    {**vars(mark), "label": labels[id(mark)], "x": x(mark.x), "y": y(mark.y)} for mark in series.marks
                ],
            }
            for series in chart.series
        ],
        "named": chart.series if len(chart.series) > 1 else (),
    }


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Returns round numbers that enclose both.

    >>> ticks(0, 447)
    [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]
    """
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - (1 if low else 0), high + 1
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]
