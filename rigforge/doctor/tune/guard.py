"""Puts limits back for a doctor that was killed and could not do it itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import pynvml

from rigforge.doctor.tune import limits
from rigforge.errors import RigforgeError


@contextmanager
def guarded(before: Mapping[str, int | None], *, clocks: bool) -> Iterator[None]:
    """Runs the block while a second process waits; when this one is gone before its end, that one restores the limits.

    `before` has the limits in milliwatts by UUID; with `clocks`, locks of the clocks are taken away too. NVML must not
    be started here: the second process starts its own.
    """
    waiting, end = os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        _guard(waiting, before, clocks)
    os.close(waiting)
    try:
        yield
    finally:
        with suppress(OSError):  # it was killed itself
            os.write(end, b"done")
        os.close(end)
        os.waitpid(child, 0)


def _guard(waiting: int, before: Mapping[str, int | None], clocks: bool) -> None:
    """Ends the process, without what the original would do at its end."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if os.read(waiting, 4) != b"done":
            pynvml.nvmlInit()
            for uuid, limit in before.items():
                with suppress(pynvml.NVMLError):
                    if clocks:
                        pynvml.nvmlDeviceResetGpuLockedClocks(limits.handle(uuid))
                with suppress(pynvml.NVMLError, RigforgeError):
                    if limit is not None and limits.power_limit(uuid) != limit:
                        limits.set_power_limit(uuid, limit)
    finally:
        os._exit(0)
