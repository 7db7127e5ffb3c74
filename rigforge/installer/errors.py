"""The one error type for what stops an installation."""

from __future__ import annotations


class InstallError(Exception):
    """The installation cannot go on.

    `message` says what is wrong; `hint` says what the person in front of the machine can do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
