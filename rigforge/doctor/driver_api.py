"""The child that asks CUDA: a program of its own, since a driver that hangs or crashes takes its process with it.

    driver_api.py LIBRARY SECONDS USED [UID GID GROUP…]

It loads LIBRARY, calls cuInit, counts the devices and has a context on each but those USED (1,3), as that user. Of
each step it says `STEP ?` before and `STEP RESULT` after it. RESULT is a CUresult of cuda.h, with its name where it is
an error, or why the step could not be done. After SECONDS it is gone. Python's own library only: it runs without what
the doctor brings.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

#: After this part of the time no further context is made; the rest is for the one that was begun.
PART = 0.7

#: The word by which the packed doctor becomes this program.
WORD = "ask-cuda"

#: A library that tells of more devices than this tells nonsense.
MOST = 64


def main(arguments: Sequence[str]) -> NoReturn:
    """Ends with 0 when all was asked, whatever the answers."""
    library, seconds, used, *person = arguments
    end = time.monotonic() + PART * float(seconds)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What the library itself prints is nothing that it was asked.
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def say(step: str, result: str) -> None:
        os.write(out, f"{step} {' '.join(result.split())[:200]}\n".encode(errors="replace"))

    def step(name: str, act: Callable[[], str]) -> bool:
        say(name, "?")
        try:
            result = act()
        except (OSError, AttributeError, ValueError) as error:
            result = str(error)
        say(name, result)
        return result == "0"

    if person and not step("user", lambda: _become(*map(int, person))):
        os._exit(0)
    # Loaded twice: once to see whether it can be, and then it is there.
    if step("load", lambda: "0" if ctypes.CDLL(library) else ""):
        _ask(ctypes.CDLL(library), step, say, end, used.split(","))
    # Without any clean-up, which a driver may hang in as well.
    os._exit(0)


def _ask(
    cuda: ctypes.CDLL, step: Callable[..., bool], say: Callable[[str, str], None], end: float, used: Sequence[str]
) -> None:
    count, device, context = ctypes.c_int(), ctypes.c_int(), ctypes.c_void_p()

    def told(result: int) -> str:
        name = ctypes.c_char_p()
        if result and hasattr(cuda, "cuGetErrorName"):
            cuda.cuGetErrorName(result, ctypes.byref(name))
        return f"{result} {(name.value or b'').decode(errors='replace')}".strip()

    def make(index: int) -> str:
        result = cuda.cuDeviceGet(ctypes.byref(device), index)
        return told(result or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))

    if not step("init", lambda: told(cuda.cuInit(0))):
        return
    if not step("count", lambda: told(cuda.cuDeviceGetCount(ctypes.byref(count)))):
        return
    say("devices", str(count.value))
    for index in range(min(count.value, MOST)):
        if time.monotonic() > end:
            return
        if str(index) in used:
            continue
        step(f"context-{index}", lambda index=index: make(index))


def _become(uid: int, gid: int, *groups: int) -> str:
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    return "0"


if __name__ == "__main__":
    main(sys.argv[1:])
