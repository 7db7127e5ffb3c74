"""The doctor's error for what the user can put right."""

from __future__ import annotations


class DoctorError(Exception):
    """`message` says what is wrong, `hint` what to do about it; the command line prints both and ends with 2."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
