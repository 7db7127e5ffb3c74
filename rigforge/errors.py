"""The one error type for what a user can put right."""

from __future__ import annotations

from pathlib import Path


class RigforgeError(Exception):
    """The user's input or environment is wrong.

    `message` says what is wrong and where (file, key); `hint` says what to do about it.
    The command line prints both and ends with `exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RigforgeError):
    """The command line itself is wrong."""

    exit_code = 2


class StoppedError(Exception):
    """The user, or an error in another file, ended the work on a file."""


class DamagedError(RigforgeError):
    """A file that a build kept has other bytes than when it was made; whoever raises this has the next run make it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is no longer what was made",
            "run the same command again, which makes it anew; if that happens twice, look at the disk and the memory",
        )
