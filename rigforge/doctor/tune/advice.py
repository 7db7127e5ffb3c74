"""Advice from a sweep: the setting to choose, and whether more power or higher clocks would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rigforge.doctor.tune.setting import TuneSetting
from rigforge.doctor.tune.sweep import Point

#: The part of the speed from which a gain is more than the measuring's own spread.
WORTH = 0.03
#: The part by which the clock must differ for a rule of three.
APART = 0.03


@dataclass(frozen=True)
class Advice:
    """The point that is recommended, the one it is compared with, and the answer in sentences."""

    chosen: Point
    reference: Point
    words: tuple[str, ...]


def advice(points: Sequence[Point], keep: float) -> Advice | None:
    """Returns the least power that keeps the part `keep` of the speed at the default limit; None without two points."""
    measured = [point for point in points if point.watts]
    if len(measured) < 2:
        return None
    reference = measured[0]
    chosen = min(
        (point for point in measured if point.speed >= keep * reference.speed and not _more(point, reference)),
        key=lambda point: (point.watts or 0.0, point.setting.value),
    )
    words = [_reference(reference), _choice(chosen, reference, keep), *_more_power(measured), *_higher_clock(measured)]
    return Advice(chosen, reference, tuple(words))


def _reference(point: Point) -> str:
    held = f"; {point.held} holds its clock down" if point.held else "; nothing holds its clock down"
    return f"At {point.setting} it trains {point.speed:.3g} sequences a second and draws {point.watts:.0f} W{held}."


def _choice(chosen: Point, reference: Point, keep: float) -> str:
    if chosen is reference:
        return f"No lower setting keeps {_percent(keep)} of that speed: {reference.setting} is best."
    less = 1 - (chosen.watts or 0) / (reference.watts or 1)
    more = (chosen.work or 0) / (reference.work or 1) - 1
    return (
        f"At {chosen.setting} it keeps {_percent(chosen.speed / reference.speed, 1)} of the speed and draws"
        f" {_percent(less)} less: {_percent(more)} more work for the same energy."
    )


def _more_power(points: Sequence[Point]) -> Iterator[str]:
    """Compares with the highest limit that the card allows."""
    reference = points[0]
    higher = [point for point in points if _more(point, reference)]
    if reference.setting.kind != "power":
        return
    if not higher:
        yield f"More power was not tried: {reference.setting} is the most that the card, or --at-most, allows."
        return
    best = max(higher, key=lambda point: point.setting.value)
    gain, cost = best.speed / reference.speed - 1, (best.watts or 0) / (reference.watts or 1) - 1
    answer = "More power helps" if gain >= WORTH else "More power does not help"
    yield (
        f"{answer}: at {best.setting}, its highest limit, the speed changes by {_percent(gain, 1)} and the power drawn"
        f" by {_percent(cost)}."
    )


def _more(point: Point, reference: Point) -> bool:
    """Tells whether the power limit is above the reference's."""
    return point.setting.kind == reference.setting.kind == "power" and point.setting.value > reference.setting.value


def _higher_clock(points: Sequence[Point]) -> Iterator[str]:
    """Says by the rule of three what a higher clock would bring."""
    reference = points[0]
    slower = [
        point for point in points if point.clock and reference.clock and point.clock < (1 - APART) * reference.clock
    ]
    if not slower:
        yield "What overclocking would bring cannot be said: no setting changed the clock by enough."
        return
    nearest = max(slower, key=lambda point: point.clock or 0.0)
    clock = 1 - (nearest.clock or 0) / (reference.clock or 1)
    speed = 1 - nearest.speed / reference.speed
    if speed <= 0:
        yield f"Overclocking does not help: {_percent(clock)} less clock cost no speed."
        return
    gain = 0.05 * speed / clock
    answer = (
        "would be felt, at the risk of wrong results" if gain >= WORTH else "is not worth the risk of wrong results"
    )
    yield (
        f"Overclocking {answer}: {_percent(clock)} less clock cost {_percent(speed, 1)} of the speed, so 5 % more"
        f" would bring about {_percent(gain, 1)}, where the power limit allows it."
    )


def _percent(part: float, digits: int = 0) -> str:
    return f"{100 * part:.{digits}f} %"


def scatter(points: Sequence[Point]) -> str:
    """Returns which point is faster than the default by much although it has less to use, "" where none is."""
    reference = points[0]
    for point in points[1:]:
        less = point.setting.kind != reference.setting.kind or point.setting.value < reference.setting.value
        if less and (gain := point.speed / reference.speed - 1) > WORTH:
            return f"{point.setting} was {_percent(gain)} faster than {reference.setting}, which can only be chance"
    return ""


def setting_of(advice: Advice, default: float | None) -> TuneSetting | None:
    """Returns what is to be made permanent; None where that is the card's `default` limit in watts."""
    setting = advice.chosen.setting
    return None if default is not None and setting == TuneSetting("power", round(default)) else setting
