"""Charts: everything that is measured is inside the picture, between round numbers."""

from __future__ import annotations

import pytest

from rigforge.doctor.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Series, drawn, ticks


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [(0, 447, 0, 500), (63, 88, 60, 90), (0, 0.013, 0, 0.015), (5, 5, 4, 6), (0, 0, 0, 1)],
)
def test_ticks_are_round_and_enclose_what_there_is(low: float, high: float, first: float, last: float) -> None:
    found = ticks(low, high)
    assert (found[0], found[-1]) == (first, last)
    assert 3 <= len(found) <= 8


@pytest.mark.parametrize("zero", [True, False])
def test_every_point_is_inside_the_plot(zero: bool) -> None:
    points = [(1.5, 61.0), (2.0, 88.0), (7.25, 3.0)]
    picture = drawn(Chart("T", "°C", "seconds", [Series("GPU 0", 0, points)], [(90.0, "slowdown")], zero))
    (series,) = picture["series"]  # type: ignore[misc]
    for point in series["points"].split():
        x, y = map(float, point.split(","))
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP <= y <= HEIGHT - BOTTOM
