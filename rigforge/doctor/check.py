"""What a check says, and what all of them together come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed", "n/a"]

#: The exit code of each verdict.
EXIT_CODES: dict[Status, int] = {"ok": 0, "warning": 1, "failed": 2}


@dataclass(frozen=True)
class Check:
    """One answer: what was measured, why it matters, and the command or act that cures it ("" where none is needed)."""

    id: str
    status: Status
    measured: str
    why: str
    fix: str = ""


@dataclass(frozen=True)
class Topic:
    """What a check is about, whatever it finds."""

    id: str
    why: str

    def ok(self, measured: str) -> Check:
        return Check(self.id, "ok", measured, self.why)

    def warning(self, measured: str, fix: str) -> Check:
        return Check(self.id, "warning", measured, self.why, fix)

    def failed(self, measured: str, fix: str) -> Check:
        return Check(self.id, "failed", measured, self.why, fix)

    def not_applicable(self, measured: str) -> Check:
        """Says what could not be looked at, and for what reason."""
        return Check(self.id, "n/a", measured, self.why)

    def worst(self, troubles: Iterable[Check], otherwise: str) -> Check:
        """Returns one check for many things of a kind: the worst of their troubles, or that all is well."""
        found = list(troubles)
        for status in ("failed", "warning"):
            if of_it := [check for check in found if check.status == status]:
                measured = "; ".join(check.measured for check in of_it)
                return Check(self.id, status, measured, self.why, of_it[0].fix)
        return self.ok(otherwise)


def verdict(checks: Iterable[Check]) -> Status:
    """Returns the worst status; what could not be checked counts for nothing.

    >>> verdict([Check("a", "n/a", "", ""), Check("b", "warning", "", ""), Check("c", "ok", "", "")])
    'warning'
    """
    there = {check.status for check in checks}
    return "failed" if "failed" in there else "warning" if "warning" in there else "ok"
