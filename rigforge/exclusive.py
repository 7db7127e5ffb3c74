"""One build at a time: a lock on the state directory that says who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigforge import console, state
from rigforge.errors import RigforgeError
from rigforge.redact import command


@contextmanager
def exclusive() -> Iterator[None]:
    """Holds the lock on `state.home()`; waits while another process holds it, and says who that is and since when.

    The kernel drops the lock when its holder ends, however it ends, so a crash leaves nothing to clear away.
    Raises RigforgeError where the state directory cannot be written.
    """
    path = state.home() / "lock"
    descriptor = _locked(path)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, _signature().encode())
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Returns a descriptor of the locked file at `path`."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.fchmod(descriptor, 0o600)  # of one that an earlier version made for everybody
            # The programs of a build hold it too: should they outlive their build, the next one waits for them.
            os.set_inheritable(descriptor, True)
        except OSError as error:
            raise RigforgeError(
                f"the state directory {path.parent} cannot be written: {error.strerror}",
                "name another one: RIGFORGE_HOME=/path ./bootstrap …",
            ) from error
        try:
            _wait(descriptor)
            # `clean --all` removes the file; whoever waited for that one then holds a lock that nobody else sees.
            if _is_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.say(f"Waiting for {_holder(descriptor)} (Ctrl-C to give up)")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _signature() -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    words = command([Path(sys.argv[0]).name, *sys.argv[1:]])
    return json.dumps({"pid": os.getpid(), "command": shlex.join(words), "since": since})


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"{holder['command']!r} (pid {holder['pid']}, at work since {holder['since']})"
    except ValueError:  # caught between taking the lock and signing it
        return "another build"
