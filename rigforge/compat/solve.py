"""The solver. A driver, a build of PyTorch and a Python are chosen; all else follows from them.

The tables leave some thousand combinations, which are simply tried: a few milliseconds. A wish or a card only ever
takes some of them away, so that adding one never makes possible what was impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, Literal

from packaging.version import Version

from rigforge.compat.constraints import Constraint
from rigforge.compat.gpu import Gpu
from rigforge.compat.rules import (
    Combination,
    Driver,
    Wheel,
    driver_with_gpu,
    pytorch_with_gpu,
    runs,
)
from rigforge.compat.tables import Tables

Prefer = Literal["newest", "lts", "native"]

#: A card or a wish: one part of what is asked for.
Part = Gpu | Constraint


@dataclass(frozen=True)
class Choice:
    """Drivers, builds of PyTorch and Pythons to choose from."""

    drivers: frozenset[Driver]
    wheels: frozenset[Wheel]
    pythons: frozenset[str]

    def __and__(self, other: Choice) -> Choice:
        return Choice(self.drivers & other.drivers, self.wheels & other.wheels, self.pythons & other.pythons)


def everything(tables: Tables, parts: Iterable[Part]) -> Choice:
    """Returns all that the tables have, and the drivers of known branches that the wishes name."""
    versions = (version for part in parts if isinstance(part, Constraint) for version in part.named_drivers)
    return _everything(tables, frozenset(versions))


@cache
def _everything(tables: Tables, named_drivers: frozenset[str]) -> Choice:
    versions = named_drivers | {branch.latest for branch in tables.branches}
    return Choice(
        frozenset(
            Driver(branch, version, module)
            for version in versions
            if (branch := tables.branch_of(version))
            for module in ("open", "proprietary")
        ),
        frozenset(Wheel(build, version) for build in tables.builds for version in build.versions),
        frozenset(python for build in tables.builds for python in build.python),
    )


def allowed(tables: Tables, part: Part, choice: Choice) -> Choice:
    """Returns what one card or wish leaves of a choice."""
    if isinstance(part, Constraint):
        return Choice(
            frozenset(filter(part.allows, choice.drivers)),
            frozenset(filter(part.allows, choice.wheels)),
            frozenset(filter(part.allows, choice.pythons)),
        )
    return Choice(
        frozenset(driver for driver in choice.drivers if not driver_with_gpu(tables, driver, part)),
        frozenset(wheel for wheel in choice.wheels if not pytorch_with_gpu(tables, wheel, part)),
        choice.pythons,
    )


def left(choices: Iterable[Choice], start: Choice) -> Choice:
    """Returns what several cards and wishes leave of a choice together."""
    return reduce(Choice.__and__, choices, start)


def working(tables: Tables, choice: Choice) -> list[Combination]:
    """Returns the combinations of a choice that work."""
    return [
        Combination(driver, wheel, python)
        for wheel in choice.wheels
        for python in choice.pythons.intersection(wheel.build.python)
        for driver in choice.drivers
        if runs(tables, driver, wheel)
    ]


def works(tables: Tables, choice: Choice, start: Choice) -> bool:
    """Tells whether a choice, which is a part of `start`, leaves a combination that works."""
    return any(
        not choice.pythons.isdisjoint(wheel.build.python)
        and not choice.drivers.isdisjoint(_drivers_for(tables, wheel, start.drivers))
        for wheel in choice.wheels
    )


@cache
def _drivers_for(tables: Tables, wheel: Wheel, drivers: frozenset[Driver]) -> frozenset[Driver]:
    return frozenset(driver for driver in drivers if runs(tables, driver, wheel))


def best(tables: Tables, combinations: Iterable[Combination], prefer: Prefer) -> Combination | None:
    """Returns the combination that is preferred to all others; None of none."""
    return max(combinations, key=lambda each: ORDERS[prefer](tables, each), default=None)


def _pytorch(combination: Combination) -> Version:
    return combination.wheel.version


def _native(tables: Tables, combination: Combination) -> bool:
    return runs(tables, combination.driver, combination.wheel) == "native"


def _is_lts(combination: Combination) -> bool:
    return combination.driver.branch.kind == "lts"


def _support(tables: Tables, combination: Combination) -> tuple[bool, bool, str]:
    """Returns how long the driver is supported: of two branches the longer is greater."""
    branch = combination.driver.branch
    return branch.kind != "new-feature", branch.supported(tables.as_of), branch.end


def _rest(combination: Combination) -> tuple[Any, ...]:
    """Returns what decides where all else is equal."""
    driver, wheel, python = combination.driver, combination.wheel, combination.python
    # Other wheels lag behind a new Python: the newest but one goes first, the newest last.
    others = wheel.build.python[:-1]
    return (
        wheel.build.index == "pypi",
        wheel.build.cuda,
        Version(driver.version),
        driver.module == driver.branch.module,
        others.index(python) if python in others else -1,
    )


#: How the possible combinations are ordered; the greatest is the answer.
ORDERS: dict[Prefer, Callable[[Tables, Combination], tuple[Any, ...]]] = {
    # The newest PyTorch, then a driver for which it is native, then the branch with the longest support.
    "newest": lambda tables, it: (_pytorch(it), _native(tables, it), _support(tables, it), _rest(it)),
    # The branch with the longest support, then what is native on it, then the newest PyTorch.
    "lts": lambda tables, it: (_is_lts(it), _support(tables, it), _native(tables, it), _pytorch(it), _rest(it)),
    # What is native, then the newest PyTorch, then the branch with the longest support.
    "native": lambda tables, it: (_native(tables, it), _pytorch(it), _support(tables, it), _rest(it)),
}
