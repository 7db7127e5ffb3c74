"""A part of a file that somebody else wrote: it may be huge, a pipe that nobody fills, or a link to /dev/zero."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: Bytes that are read of a file at most, where nobody says otherwise.
MOST = 65536


def of(root: Path, path: str, *, end: bool = False, most: int = MOST) -> str:
    """Returns the begin of a file of the system at `root`, or its end; "" where that is no file that can be read."""
    try:
        opened = os.open(root / path.lstrip("/"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError):  # a NUL in the name
        return ""
    with os.fdopen(opened, "rb") as file:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            return ""
        file.seek(max(0, status.st_size - most) if end else 0)
        try:
            return file.read(most).decode(errors="replace")
        except OSError:
            return ""
