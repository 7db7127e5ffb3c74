"""A check's result, and the verdict of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from rigforge.plain import line

Status = Literal["ok", "warning", "failed", "n/a"]

#: The exit code of each verdict.
EXIT_CODES: dict[Status, int] = {"ok": 0, "warning": 1, "failed": 2}


#: Characters of an error's text.
LONGEST_REASON = 200


@dataclass(frozen=True)
class Check:
    """One answer: what was measured, why it matters, and the command or act that cures it ("" where none is needed).

    `cause` is the check that this one follows from, which has the cure for both; "" where it stands for itself.
    """

    id: str
    status: Status
    measured: str
    why: str
    fix: str = ""
    cause: str = ""

    def __post_init__(self) -> None:
        # Programs, files and drivers speak through these; what reads them (terminal, page, JSON) is not to obey them.
        for name in ("measured", "fix"):
            object.__setattr__(self, name, line(getattr(self, name)))


@dataclass(frozen=True)
class Topic:
    """The subject of a check: its id, and why it matters."""

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

    def unknown(self, error: Exception) -> Check:
        """Says that the machine answers in a way that was not expected: no verdict, and no end of the other checks."""
        return self.not_applicable(f"could not be looked at ({type(error).__name__}: {str(error)[:LONGEST_REASON]})")

    def of(self, look: Callable[[], Check]) -> Check:
        """Returns what `look` finds, or that it could not."""
        try:
            return look()
        except Exception as error:
            return self.unknown(error)

    def worst(self, troubles: Iterable[Check], otherwise: str) -> Check:
        """Returns one check for many things of a kind: the worst of their troubles, or that all is well.

        The cure is that of the first which is no consequence of something else.
        """
        checks = list(troubles)
        for status in ("failed", "warning"):
            if of_it := [check for check in checks if check.status == status]:
                measured = "; ".join(check.measured for check in of_it)
                first = next((check for check in of_it if not check.cause), of_it[0])
                return Check(self.id, status, measured, self.why, first.fix, first.cause)
        return self.ok(otherwise)


def verdict(checks: Iterable[Check]) -> Status:
    """Returns the worst status; what could not be checked counts for nothing.

    >>> verdict([Check("a", "n/a", "", ""), Check("b", "warning", "", ""), Check("c", "ok", "", "")])
    'warning'
    """
    statuses = {check.status for check in checks}
    return "failed" if "failed" in statuses else "warning" if "warning" in statuses else "ok"
