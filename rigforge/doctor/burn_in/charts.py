"""Charts of a burn-in over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rigforge.doctor.burn_in.record import BurnInRecord, Sample
from rigforge.doctor.chart import Chart, Series

#: At most twice as many points are drawn in a line; each is the mean of its neighbours.
POINTS = 300


def charts(records: Sequence[BurnInRecord]) -> Iterator[Chart]:
    """Returns one chart for each quantity that was measured, with a line for each device."""
    slowdown = {record.before.slowdown for record in records if record.before and record.before.slowdown}
    limits = {record.before.power_limit for record in records if record.before and record.before.power_limit}
    yield from _chart(records, "Temperature", "°C", lambda sample: sample.temperature, slowdown, "slowdown", zero=False)
    yield from _chart(records, "Power", "W", lambda sample: sample.power, limits, "limit")
    yield from _chart(records, "Clock", "MHz", lambda sample: sample.clock)
    yield from _chart(records, "Throughput, all number formats", "TFLOP/s", lambda sample: sample.throughput / 1e12)


def _chart(
    records: Sequence[BurnInRecord],
    title: str,
    unit: str,
    value: Callable[[Sample], float | None],
    limits: Iterable[float] = (),
    limit_name: str = "",
    *,
    zero: bool = True,
) -> Iterator[Chart]:
    longest = max((record.samples[-1].seconds for record in records if record.samples), default=0.0)
    divisor, across = (60.0, "minutes") if longest >= 180 else (1.0, "seconds")
    series = []
    for record in records:
        points = [
            (sample.seconds / divisor, figure) for sample in record.samples if (figure := value(sample)) is not None
        ]
        if points:
            colour = record.before.index if record.before else 0
            series.append(Series(record.label, colour, _thinned(points)))
    if series:
        yield Chart(title, unit, across, series, [(limit, limit_name) for limit in sorted(limits)], zero)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = max(1, len(points) // POINTS)
    groups = [points[start : start + step] for start in range(0, len(points), step)]
    return [(group[-1][0], sum(up for _, up in group) / len(group)) for group in groups]
