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
#: How often the machine is looked at (seconds).
_INTERVAL = 0.5

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
        self._packer: int | None = None
        self._power_on: float | None = None
        self._stop_at: float | None = None

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
        if serial.fatal(line):
            self._give_up(line, _LAST_WORDS)

    def look(self) -> None:
        """Looks whether the machine is still there, and ends a Packer that waits for nothing."""
        if pid := qemu.running(self._pidfile):
            self._packer = packer.owner(pid)
        elif self._packer and self.seconds_to_ssh is None:
            self._give_up("QEMU has ended before the machine answered", 0.0)
        if self._packer and self._stop_at is not None and time.monotonic() >= self._stop_at:
            packer.stop(self._packer)
            self._packer = None

    def _give_up(self, reason: str, patience: float) -> None:
        if self.fatal is None:
            self.fatal = reason
            self._stop_at = time.monotonic() + patience

    def _seconds(self) -> float:
        return 0.0 if self._power_on is None else round(time.monotonic() - self._power_on, 1)


@contextmanager
def watching(serial_log: Path, packer_log: Path, pidfile: Path) -> Iterator[Watch]:
    """Watches while the context runs Packer; whatever ends it, no QEMU is left behind."""
    watch = Watch(pidfile)
    with ExitStack() as stack:
        stack.callback(qemu.end, pidfile)
        stack.enter_context(serial.follow(packer_log, watch.hear_packer))
        stack.enter_context(serial.follow(serial_log, watch.hear_serial))
        stack.enter_context(_looking(watch))
        yield watch


@contextmanager
def _looking(watch: Watch) -> Iterator[None]:
    end = threading.Event()

    def look() -> None:
        while not end.wait(_INTERVAL):
            watch.look()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
