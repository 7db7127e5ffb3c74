"""An archive as a lock has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class LockedArchive:
    """The state of one archive at the time of the lock: `date` is the Date of its signed Release file (RFC 5322)."""

    role: str
    suite: str
    date: str
    inrelease_sha256: str
