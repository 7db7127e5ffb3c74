"""Parts of the slow tests, each small enough for a small machine."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rigforge.errors import UsageError
from rigforge.paths import PROJECT
from rigforge.rules.nearest import nearest

#: Folder of the parts, the claims and the records.
FOLDER = PROJECT / "evidence"

#: Marks of the tests that parts are made of, as an expression of pytest.
SLOW = "build or boot or docker or full"

#: Longest time (minutes, on two cores without KVM) and most disk (GB) of one part.
MINUTES, DISK_GB = 60, 40


@dataclass(frozen=True)
class Part:
    """Tests that are run together, as pytest names them below tests/, and what they show, by claim."""

    name: str
    tests: tuple[str, ...]
    shows: Mapping[str, str] = field(default_factory=dict)

    def has(self, test: str) -> bool:
        """Whether a test is one of the part's, by its name below tests/."""
        return any(test == name or test.startswith((f"{name}::", f"{name}[")) for name in self.tests)


def read(folder: Path = FOLDER) -> dict[str, Part]:
    """Returns all parts by name, in the order of parts.toml."""
    table = tomllib.loads((folder / "parts.toml").read_text(encoding="utf-8"))
    return {name: Part(name, tuple(row["tests"]), row.get("shows", {})) for name, row in table.items()}


def named(name: str, parts: Mapping[str, Part]) -> Part:
    """Returns the part of this name. Raises UsageError where there is none."""
    if part := parts.get(name):
        return part
    meant = nearest(name, parts)
    guess = f"did you mean {meant[0]}? " if meant else ""
    raise UsageError(f"the tests have no part {name!r}", f"{guess}there are: {', '.join(parts)}")
