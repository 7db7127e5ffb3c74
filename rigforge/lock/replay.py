"""A mirror that shows an archive as it was before: signed as ever, and without the security updates since then."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import parsedate_to_datetime

from rigforge.errors import RigforgeError
from rigforge.records.archive import LockedArchive
from rigforge.stack.model import Stack


def refuse_older(stack: Stack, archives: Iterable[LockedArchive], previous_archives: Iterable[LockedArchive]) -> None:
    """Raises RigforgeError where an archive is older than in the lock before; a snapshot is as the stack says."""
    snapshot_roles = {archive.mirror for archive in stack.archives if archive.snapshot}
    previous_states = {(archive.role, archive.suite): archive for archive in previous_archives}
    for archive in archives:
        previous = previous_states.get((archive.role, archive.suite))
        if previous and archive.role not in snapshot_roles and _time(archive) < _time(previous):
            raise RigforgeError(
                f"archive {archive.role} {archive.suite} is of {archive.date}, and the lock has seen it as it was on "
                f"{previous.date}",
                "its mirror lags behind, or somebody plays an old state back: try later, or another mirror; to take "
                f"it all the same, remove {stack.lock_path}",
            )


def _time(archive: LockedArchive) -> float:
    return parsedate_to_datetime(archive.date).timestamp()
