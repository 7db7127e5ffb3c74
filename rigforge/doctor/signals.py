"""Signals that ask to stop, which wait for what must be finished."""

from __future__ import annotations

import signal
import time
from types import FrameType

#: Seconds between two looks at the flag.
_SLICE = 0.1


class Interruption:
    """From its making on, Ctrl-C, a closed terminal and `kill` only set a flag.

    A signal may come twice: PyInstaller's loader passes on what the terminal sent already.
    """

    def __init__(self) -> None:
        self.signal = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number

    def __bool__(self) -> bool:
        return self.signal != 0

    def wait(self, seconds: float) -> bool:
        """Waits; returns at once, and True, when asked to stop."""
        end = time.monotonic() + seconds
        while not self and (rest := end - time.monotonic()) > 0:
            time.sleep(min(_SLICE, rest))
        return bool(self)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it."""
        return 128 + self.signal
