"""Impossible requests in words: what contradicts what, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from packaging.version import Version

from rigforge.compat.constraints import Constraint
from rigforge.compat.gpu import Gpu
from rigforge.compat.rules import Combination, Wheel, violations
from rigforge.compat.solution import Solution
from rigforge.compat.solve import Choice, allowed, everything, left
from rigforge.compat.tables import Tables, tables


def conflict(answer: Solution) -> tuple[str, ...]:
    """Returns, for what is impossible, the wishes that contradict each other and the reasons; else nothing."""
    if answer.combination:
        return ()
    facts = tables()
    parts = answer.conflict
    names = [part.name if isinstance(part, Gpu) else str(part) for part in parts]
    lead = "cannot be had" if len(parts) == 1 else "cannot be had together"
    choice = everything(facts, answer.request.parts)
    gpus = tuple(part for part in parts if isinstance(part, Gpu))
    wishes = [part for part in parts if isinstance(part, Constraint)]
    granted = left((allowed(facts, wish, choice) for wish in wishes), choice)
    why = _nearly(facts, granted, gpus) or _what_is_left(facts, wishes, choice)
    return (f"{' and '.join(names)} {lead}", *why)


def _nearly(facts: Tables, granted: Choice, gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    """Returns the rules that the combination breaks which grants all wishes and breaks the fewest."""
    pythons = sorted(granted.pythons, key=Version, reverse=True)
    drivers = sorted(granted.drivers, key=lambda driver: (Version(driver.version), driver.module), reverse=True)
    if not pythons or not drivers:
        return ()
    fewest: tuple[str, ...] = ()
    for wheel in sorted(granted.wheels, key=_newest_first):
        # A Python is the wheel's affair alone.
        python = next((each for each in pythons if each in wheel.build.python), pythons[0])
        for driver in drivers:
            broken = tuple(dict.fromkeys(violations(facts, Combination(driver, wheel, python), gpus)))
            if not fewest or len(broken) < len(fewest):
                fewest = broken
            if len(fewest) == 1:
                return fewest
    return fewest


def _newest_first(wheel: Wheel) -> tuple[Any, ...]:
    return tuple(-number for number in wheel.version.release), wheel.build.index != "pypi"


def _what_is_left(facts: Tables, wishes: Iterable[Constraint], choice: Choice) -> tuple[str, ...]:
    tables_of = f"the tables of {facts.as_of} have"
    return tuple(f"{wish}: {tables_of} {_in_words(allowed(facts, wish, choice), choice)}" for wish in wishes)


def _in_words(granted: Choice, choice: Choice) -> str:
    """Returns what a wish leaves of what it is about; where it leaves nothing, what there is."""
    if not granted.drivers or not granted.wheels or not granted.pythons:
        rest = _drivers(choice) if not granted.drivers else _wheels(choice) if not granted.wheels else _pythons(choice)
        return f"none, but {rest}; whether there is one elsewhere they do not say"
    words = [
        _drivers(granted) if granted.drivers != choice.drivers else "",
        _wheels(granted) if granted.wheels != choice.wheels else "",
        _pythons(granted) if granted.pythons != choice.pythons else "",
    ]
    return ", ".join(filter(None, words))


def _drivers(choice: Choice) -> str:
    return f"driver {_span({driver.version for driver in choice.drivers})}"


def _wheels(choice: Choice) -> str:
    versions = _span({str(wheel.version) for wheel in choice.wheels})
    return f"PyTorch {versions} with CUDA {_span({str(wheel.build.cuda) for wheel in choice.wheels})}"


def _pythons(choice: Choice) -> str:
    return f"Python {_span(choice.pythons)}"


def _span(versions: Iterable[str]) -> str:
    ordered = sorted(versions, key=Version)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
