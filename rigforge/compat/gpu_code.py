"""GPU code and the cards it runs on, by the names that nvcc gives its targets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TARGET = re.compile(r"(?P<kind>sm|compute)_(?P<major>\d{1,2})(?P<minor>\d)(?P<scope>[af]?)", re.ASCII)


@dataclass(frozen=True)
class Target:
    """A target of compiled code: "sm_90", machine code (SASS), or "compute_90", text (PTX) that the driver compiles.

    `scope` is "a" for code of one compute capability alone, "f" for code of its family.
    """

    capability: tuple[int, int]
    kind: str = "sm"
    scope: str = ""

    def runs_on(self, capability: tuple[int, int]) -> bool:
        """Tells whether a card runs it.

        Machine code runs on the same major version and an equal or higher minor one, PTX on all that are newer
        (CUDA C++ Programming Guide, Binary Compatibility, PTX Compatibility, and Feature Set Compiler Targets).
        """
        if self.scope == "a":
            return self.capability == capability
        if self.kind == "compute" and not self.scope:
            return self.capability <= capability
        return self.capability[0] == capability[0] and self.capability[1] <= capability[1]

    def __str__(self) -> str:
        return f"{self.kind}_{self.capability[0]}{self.capability[1]}{self.scope}"


def targets(names: Iterable[str]) -> tuple[Target, ...]:
    """Returns the targets of a list of names, in order, PTX last; what is no name of one is left out.

    >>> [str(target) for target in targets(["compute_90", "sm_120", "sm_90a", "rubbish"])]
    ['sm_90a', 'sm_120', 'compute_90']
    """
    matches = (match for name in names if (match := _TARGET.fullmatch(name)))
    read = {Target((int(it["major"]), int(it["minor"])), it["kind"], it["scope"]) for it in matches}
    return tuple(sorted(read, key=lambda target: (target.kind != "sm", target.capability, target.scope)))
