"""Watches an installation from outside: its stages, the moment it answers, and the moment it cannot succeed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rigforge import console
from rigforge.verify import packer, qemu, serial

#: How long the machine may go on talking after a fatal line, so that the reason gets into the log (seconds).
_LAST_WORDS = 5.0

# What Packer says (1.6 to 1.15, builder/qemu/step_run.go and communicator/step_connect_ssh.go).
_POWER_ON = "Starting VM"
_ANSWERED = "Connected to SSH!"


class Watch:
    """What was seen of one installation; times are seconds since power-on."""

    def __init__(self, pidfile: Path) -> None:
        self.stages: list[serial.Stage] = []
        self.fatal: str | None = None
        self.seconds_to_ssh: float | None = None
        self._pidfile = pidfile
        self._power_on: float | None = None
        self._stopping: threading.Timer | None = None

    def hear_packer(self, line: str) -> None:
        """Takes a line of Packer's own output."""
        if _POWER_ON in line:
            self._power_on = time.monotonic()
        elif _ANSWERED in line:
            self.seconds_to_ssh = self._seconds()
            console.say(f"  the machine answers over SSH after {self.seconds_to_ssh:.0f} s; testing it")

    def hear_serial(self, line: str) -> None:
        """Takes a line of the machine's serial console."""
        if text := serial.stage(line):
            if serial.begins(text):
                self.stages.append(serial.Stage(self._seconds(), text))
            console.say(f"  {self._seconds():4.0f} s  {text}")
        if self.fatal is None and serial.fatal(line):
            self.fatal = line
            self._stopping = threading.Timer(_LAST_WORDS, self._stop)
            self._stopping.start()

    def _seconds(self) -> float:
        return 0.0 if self._power_on is None else round(time.monotonic() - self._power_on, 1)

    def _stop(self) -> None:
        if pid := qemu.running(self._pidfile):
            packer.stop(pid)

    def close(self) -> None:
        """Leaves nothing running: neither a pending stop nor the machine itself."""
        if self._stopping:
            self._stopping.cancel()
        qemu.end(self._pidfile)


@contextmanager
def watching(serial_log: Path, packer_log: Path, pidfile: Path) -> Iterator[Watch]:
    """Watches while the context runs Packer; whatever ends it, no QEMU is left behind."""
    watch = Watch(pidfile)
    with ExitStack() as stack:
        stack.callback(watch.close)
        stack.enter_context(serial.follow(packer_log, watch.hear_packer))
        stack.enter_context(serial.follow(serial_log, watch.hear_serial))
        yield watch
