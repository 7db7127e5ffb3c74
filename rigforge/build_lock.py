"""One build at a time: a lock on the state directory that says who holds it, and none of what killed builds left."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rigforge import console, namespace, paths
from rigforge.errors import RigforgeError
from rigforge.redact import command


@contextmanager
def exclusive(out: Path | None = None) -> Iterator[None]:
    """Holds the lock on `paths.home()`; waits while another process holds it, and says who that is and since when.

    The kernel drops the lock when its holder ends, however it ends. What a killed holder left half made is removed,
    and temporary files lie in the state directory meanwhile, so that they are found there. `out` is the folder that
    is written to; a build with another state directory may want it too.

    Raises RigforgeError where one of the two cannot be written.
    """
    home = paths.home()
    descriptor = _locked(home / "lock")
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, _signature().encode())
        _clear_away(home)
        with _temporary(home / "tmp"), _held(out):
            yield
    finally:
        os.close(descriptor)


def _clear_away(home: Path) -> None:
    """Removes what only a build under way may have: temporary files, and what has not yet its own name."""
    unfinished = (path for kind in ("layers", "squashfs", "blobs") for path in home.glob(f"{kind}/.*"))
    for path in (home / "tmp", home / "disk", *unfinished):
        namespace.remove_tree(path)


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Makes a folder in which this process and its programs make temporary files."""
    folder.mkdir(mode=0o700)
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        tempfile.tempdir = None
        namespace.remove_tree(folder)


@contextmanager
def _held(out: Path | None) -> Iterator[None]:
    """Holds a folder, where there is one, against builds with other state directories.

    A new one in which nothing was put is removed again.
    """
    if out is None:
        yield
        return
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise RigforgeError(
            f"{out}: cannot be made a folder for results: {error.strerror}", "name another one: --out"
        ) from error
    try:
        os.set_inheritable(descriptor, True)
        _wait(descriptor, f"another build that writes to {out}")
        yield
    finally:
        if new:
            with suppress(OSError):
                out.rmdir()
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


def _wait(descriptor: int, holder: str = "") -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.say(f"Waiting for {holder or _holder(descriptor)} (Ctrl-C to give up)")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _signature() -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    words = command(["rigforge", *sys.argv[1:]])  # not by the name of its file, which may be cli.py
    return json.dumps({"pid": os.getpid(), "command": shlex.join(words), "since": since})


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"{holder['command']!r} (pid {holder['pid']}, at work since {holder['since']})"
    except ValueError:  # caught between taking the lock and signing it
        return "another build"
