"""The screen in front of the machine: the same lines on the screen, the serial console and in the log."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

#: Seconds between two lines of progress: a serial console is slow, and people log it.
INTERVAL = 5.0

#: In the line that ends a stage which failed; what comes after it in the log is only the clearing up.
FAILED_AFTER = "failed after"

MB = 1_000_000


def consoles(active: Path = Path("/sys/class/tty/console/active")) -> tuple[Path, ...]:
    """Returns the terminals that people look at: the first screen, the first serial port, and each
    other console the kernel was told of; /dev/console is always one of these."""
    try:
        names = active.read_text().split()
    except OSError:
        names = []
    # tty0 is whichever virtual terminal is in front; the installer's is tty1.
    ours = ["tty1", "ttyS0", *("tty1" if name == "tty0" else name for name in names)]
    return tuple(Path("/dev", name) for name in dict.fromkeys(ours))


class Screen:
    """Writes lines to `terminals` and to standard output (the log). A terminal that is not there is left out.

    One that takes nothing for `patience` seconds (a serial line held by flow control) misses lines: it must not stop
    the installation.
    """

    def __init__(
        self, terminals: Sequence[Path], stages: int, clock: Callable[[], float] = time.monotonic, patience: float = 2.0
    ) -> None:
        self._stages = stages
        self._stage = 0
        self._name = ""
        self._clock = clock
        self._patience = patience
        self._shown = float("-inf")
        self._files: list[int] = []
        for terminal in terminals:
            # Opening a serial port that waits for a carrier would block for ever.
            with suppress(OSError):
                self._files.append(os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK))

    def say(self, text: str) -> None:
        """Shows `text`; each of its lines begins with `rigforge: `."""
        lines = [f"rigforge: {line}" for line in text.splitlines()]
        print("\n".join(lines), flush=True)
        data = "".join(f"{line}\n" for line in lines).encode(errors="replace")
        for file in self._files:
            with suppress(OSError):
                self._write(file, data)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announces the next stage, and says how many seconds it took when it is over or has failed."""
        self._stage += 1
        self._name = name
        self._shown = float("-inf")
        begin = self._clock()
        where = f"[{self._stage}/{self._stages}] {name}"
        self.say(where)
        try:
            yield
        except BaseException:
            self.say(f"{where}: {FAILED_AFTER} {self._clock() - begin:.1f} s")
            raise
        self.say(f"{where}: {self._clock() - begin:.1f} s")

    def progress(self, done: int, total: int) -> None:
        """Shows how many of `total` bytes of this stage are done, every `INTERVAL` seconds at most."""
        now = self._clock()
        if now - self._shown < INTERVAL:
            return
        self._shown = now
        self.say(f"[{self._stage}/{self._stages}] {self._name} {min(done, total) // MB}/{total // MB} MB")

    def _write(self, file: int, data: bytes) -> None:
        while data and select.select([], [file], [], self._patience)[1]:
            data = data[os.write(file, data) :]
