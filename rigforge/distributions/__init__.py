"""Debian, Ubuntu: the names of their packages, suites and kernels, and the installer that their media have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rigforge.distributions import debian, ubuntu
from rigforge.errors import RigforgeError

if TYPE_CHECKING:
    from rigforge.distributions.distribution import Distribution
    from rigforge.stack.model import Stack

_DISTRIBUTIONS: dict[str, Callable[[Stack], Distribution]] = {"debian": debian.of, "ubuntu": ubuntu.of}


def of(stack: Stack) -> Distribution:
    """Returns the distribution of a stack.

    Raises RigforgeError for one that Rigforge does not know, and for a driver that it does not have.
    """
    try:
        distribution = _DISTRIBUTIONS[stack.system.distribution]
    except KeyError:
        raise RigforgeError(
            f"stack {stack.name}: [system] distribution = {stack.system.distribution!r} is not known",
            f"distributions that are: {', '.join(sorted(_DISTRIBUTIONS))}",
        ) from None
    return distribution(stack)


def check_suites(stack: Stack) -> None:
    """Checks that the distribution's own archives are of the stack's release, and of what has been released of it.

    Raises RigforgeError that names the one that is not.
    """
    distribution = of(stack)
    suites = distribution.suites
    for archive in distribution.archives if suites else ():
        if archive.suite not in suites:
            proposed = archive.suite.endswith("-proposed")
            tested = (
                "packages are tested there, and taken away again: a kernel may have no modules, or a driver no kernel"
            )
            other = f'[system] suite is "{stack.system.suite}", and two releases have kernel modules of the same names'
            raise RigforgeError(
                f'{stack.path.name}: [[archives]] suite = "{archive.suite}": {tested if proposed else other}',
                f"suites of {stack.system.suite}: {', '.join(suites)}",
            )
