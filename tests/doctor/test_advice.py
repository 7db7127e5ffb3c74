"""Advice from points as they are measured, with the scatter that measuring has."""

from __future__ import annotations

from rigforge.doctor.tune.advice import advice, scatter, setting_of
from rigforge.doctor.tune.setting import TuneSetting
from rigforge.doctor.tune.sweep import Point


def point(limit: int, watts: float, speed: float, clock: float, held: str = "the power limit") -> Point:
    return Point(TuneSetting("power", limit), watts, speed, clock, 70, held)


HELD_BY_POWER = [
    point(450, 448, 100, 2500),
    point(600, 590, 108, 2750),
    point(360, 359, 96, 2300),
    point(270, 269, 84, 1900),
]
NEVER_HELD = [point(450, 300.4, 100, 2700, ""), point(600, 300.1, 100.2, 2700, ""), point(270, 270, 97, 2600)]


def test_more_power_helps_a_card_that_its_limit_holds() -> None:
    found = advice(HELD_BY_POWER, 0.95)
    assert found is not None
    assert setting_of(found, 450) == TuneSetting("power", 360)
    assert "At 450 W it trains 100 sequences a second and draws 448 W; the power limit holds" in found.words[0]
    assert found.words[2].startswith("More power helps: at 600 W, its highest limit, the speed changes by 8.0 %")
    # 8 % less clock cost 4 %.
    assert "so 5 % more would bring about 2.5 %" in found.words[3]


def test_more_power_does_not_help_a_card_that_does_not_use_it() -> None:
    found = advice(NEVER_HELD, 0.98)
    assert found is not None
    assert found.words[2].startswith("More power does not help")
    # 600 W drew a breath less by chance: a higher limit is never recommended.
    assert setting_of(found, 450) is None


def test_a_limit_below_the_default_is_applied_even_where_it_is_the_highest_tried() -> None:
    found = advice([point(300, 299, 90, 2000), point(270, 269, 80, 1900)], 0.95)
    assert found is not None
    assert setting_of(found, 450) == TuneSetting("power", 300)
    assert "More power was not tried" in found.words[2]


def test_less_power_that_is_faster_is_chance() -> None:
    assert scatter(HELD_BY_POWER) == ""
    assert "360 W was 10 % faster than 450 W" in scatter([point(450, 448, 100, 2500), point(360, 359, 110, 2300)])


def test_one_point_is_no_advice() -> None:
    assert advice(HELD_BY_POWER[:1], 0.95) is None
