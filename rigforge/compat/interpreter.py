"""Somebody's Python, run as the one whose it is, never as root.

Whatever lies in its environment (`.pth` files, `sitecustomize`) is run with it, so that a privileged program must not
be the one who runs it. The folder and the environment of the caller have no say either.
"""

from __future__ import annotations

import os
import pwd
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Where programs are looked for by what a privileged program starts.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What a program that root starts sees of root's environment: who reaches the network only through a proxy needs it.
KEPT = ("http_proxy", "https_proxy", "no_proxy")

#: Seconds; a cold disk may take a while to start Python.
PATIENCE = 60.0

#: Bytes of an answer, and seconds that a killed process gets to be gone.
LONGEST, GONE = 1 << 20, 1.0

#: Who has nothing on a Linux system (kernel, overflowuid).
NOBODY = 65534

#: -P of Python 3.11; older ones are told by the first line, before anything is imported from a folder.
_SAFE = {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_FIRST = "import sys; sys.path[:] = [place for place in sys.path if place]\n"

#: Nobody, who may read what root alone may: for a Python in a folder that is closed to everybody but root.
_READER = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
    *(
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ),
)


@dataclass(frozen=True)
class Person:
    """A user by number. `home` is where the packages of pip's `--user` are."""

    uid: int = NOBODY
    gid: int = NOBODY
    groups: tuple[int, ...] = ()
    home: str = "/nonexistent"


def launch(
    python: str, program: str, *arguments: str, environment: Mapping[str, str]
) -> tuple[list[str], dict[str, Any]]:
    """Returns the command line that runs `program` (source text) with the Python at a path, and subprocess options.

    `environment` is what the Python sees besides (its own PATH, its GPU).
    """
    # Not resolved: a link is what makes an environment of a Python.
    words = [str(Path.cwd() / python), "-c", f"{_FIRST}exec({program!r})", *arguments]
    options: dict[str, Any] = {"cwd": "/", "env": {**environment, "LC_ALL": "C.UTF-8", **_SAFE}}
    if os.geteuid():
        return words, options
    options["start_new_session"] = True  # away from root's terminal, into which it could type
    owner = whose(Path(words[0]))
    if owner is None:
        options["env"]["HOME"] = Person.home
        return [*_READER, *words], options
    options["env"]["HOME"] = owner.home
    return words, {**options, "user": owner.uid, "group": owner.gid, "extra_groups": owner.groups}


def ask(python: str, program: str, *, environment: Mapping[str, str], seconds: float = PATIENCE) -> str | None:
    """Returns what `program` (source text) prints in a Python; None where it does not run, fails or does not end.

    None, too, where it prints more than LONGEST bytes. Whatever it has started and left behind is not waited for.
    """
    words, options = launch(python, program, environment=environment)
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        process = subprocess.Popen(words, **{**options, **streams, "start_new_session": True})
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    deadline = time.monotonic() + seconds
    try:
        output = _output(process, deadline)
        return None if output is None or process.wait(max(0.1, deadline - time.monotonic())) else output
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GONE)
        if process.stdout:
            process.stdout.close()


def _output(process: subprocess.Popen[bytes], deadline: float) -> str | None:
    """Returns what a process prints until it closes its output; None where that is too late or too much."""
    output = bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout or 0, selectors.EVENT_READ)
        while len(output) <= LONGEST and ready.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(process.stdout.fileno() if process.stdout else 0, 1 << 16)
            if not chunk:
                return output.decode(errors="replace")
            output += chunk
    return None


def whose(python: Path) -> Person | None:
    """Returns as whom root runs a Python: its owner, else the user who called sudo, else nobody.

    None for one that only root can reach and only root can have written.
    """
    try:
        target = python.resolve()
        trail = [place.lstat() for place in (python, *python.parents, target, *target.parents)]
        hidden = any(map(_is_closed, python.parents))
        roots_own = hidden or (any(map(_is_closed, target.parents)) and not any(map(_others_write, _parts(python))))
    except (OSError, RuntimeError):
        return Person()
    if owner := next((status.st_uid for status in trail if status.st_uid), 0):
        return person(owner)
    return None if roots_own else caller() or person(NOBODY)


def for_programs() -> dict[str, str]:
    """Returns the environment for what a privileged program starts: nothing in it leads to other code."""
    variables = {name: os.environ[name] for name in KEPT if name in os.environ}
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = "/"
    return {**variables, "PATH": PATH, "HOME": home, "LC_ALL": "C.UTF-8"}


def _is_closed(folder: Path) -> bool:
    return not folder.stat().st_mode & 0o077


def _parts(python: Path) -> list[Path]:
    """Returns what decides about the code of a Python in an environment: folders on the way, settings, packages."""
    environment = python.parent.parent
    inside = [*environment.glob("pyvenv.cfg"), *environment.glob("lib*/python3*"), *environment.glob("lib*/python3*/*")]
    return [*python.parents, *inside]


def _others_write(place: Path) -> bool:
    status = place.stat()
    return status.st_uid != 0 or bool(status.st_mode & 0o022 and not status.st_mode & 0o1000)


def caller() -> Person | None:
    """Returns who called sudo or pkexec; None where nobody did."""
    for name in ("SUDO_UID", "PKEXEC_UID"):
        text = os.environ.get(name, "")
        if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text):
            return person(int(text))
    return None


def person(uid: int) -> Person:
    """Returns a user by number, with the groups and the home that the system knows."""
    try:
        entry = pwd.getpwuid(uid)
        groups = tuple(number for number in os.getgrouplist(entry.pw_name, entry.pw_gid) if number)
    except (KeyError, OverflowError):
        return Person(uid)
    # A user whose own group is root's would still be half of root.
    return Person(uid, entry.pw_gid or NOBODY, groups, entry.pw_dir)
