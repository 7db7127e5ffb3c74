"""The worker as a process: what it says, whether it still says something, and how it ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rigforge.compat.interpreter import launch

Mode = Literal["burn-in", "train"]
Device = Literal["cuda", "cpu"]

#: Seconds that a killed process gets to be gone; one that the driver holds never is.
GONE = 5.0
#: How many times longer than usual a worker may be silent while PyTorch is read from a cold disk.
START = 5

#: Handed over as text: the folder that the doctor unpacks itself into is for its own user only.
_WORKER = Path(__file__).with_name("worker.py").read_text()


class Worker:
    """One worker on one device; `patience` is how many seconds it may be silent.

    `trouble` is why it ended before it was asked to, "" as long as all is well.
    """

    def __init__(
        self, python: str, mode: Mode, device: Device, environment: Mapping[str, str], *, uuid: str, patience: float
    ) -> None:
        self.uuid = uuid
        self.trouble = ""
        self.ready: dict[str, Any] = {}
        self.ended = False
        self._asked = False
        self._patience = patience
        self._heard = time.monotonic()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        variables = {**environment, **({"CUDA_VISIBLE_DEVICES": uuid} if uuid else {})}
        words, options = launch(python, _WORKER, mode, device, environment=variables)
        # A session of its own: Ctrl-C is for the doctor, who then asks for a last look.
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            errors="replace",
            **{**options, "start_new_session": True},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def events(self) -> list[dict[str, Any]]:
        """Returns what it said since the last call, and notices when it died, hangs or ran out of memory."""
        over = not self._reader.is_alive()
        events = []
        while not self._lines.empty():
            self._heard = time.monotonic()
            try:
                event = json.loads(self._lines.get())
                kind = event["event"]
            except (ValueError, KeyError, TypeError):
                continue
            if kind == "ready":
                self.ready = event
            elif kind == "end":
                self.ended = True
            elif kind in ("out-of-memory", "error"):
                before = "out of memory: " if kind == "out-of-memory" else ""
                self._fail(f"{before}{event['text']}")
            events.append(event)
        if over and not self.ended and not self.trouble:
            self._fail(self._death())
        patience = self._patience * (1 if self.ready else START)
        if self.working and time.monotonic() - self._heard > patience:
            self.kill()
            held = "" if self._process.poll() is not None else ", and cannot be killed: the driver holds it, reboot"
            self._fail(f"the worker said nothing for {patience:.0f} s{held}")
        return events

    @property
    def working(self) -> bool:
        return not self.ended and not self.trouble

    def ask_to_stop(self) -> None:
        self._asked = True
        try:
            if self._process.stdin:
                self._process.stdin.write("stop\n")
                self._process.stdin.flush()
        except OSError:
            pass  # it is gone; events() says why

    def kill(self) -> None:
        """Ends it, whatever it does; leaves one that the driver holds."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(GONE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass

    def _fail(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble

    def _death(self) -> str:
        try:
            code = self._process.wait(GONE)
        except subprocess.TimeoutExpired:
            return "the worker closed its output and went on"
        how = f"the worker was ended by {_signal(-code)}" if code < 0 else f"the worker ended with {code}"
        self._complaints.seek(max(0, self._complaints.seek(0, os.SEEK_END) - 2000))
        last = self._complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"{how}: {last[0]}" if last else how

    def _read(self) -> None:
        if self._process.stdout:
            for line in self._process.stdout:
                self._lines.put(line)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
