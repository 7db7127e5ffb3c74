"""The one place where other programs are run."""

from __future__ import annotations

import fcntl
import io
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from rigforge.errors import RigforgeError

Argument = str | Path

#: Bytes of a program's output that are taken at a time.
_CHUNK = 1 << 20

#: Ends a program with the process that waits for it, whatever ends that: the kernel sends the signal (prctl(2),
#: PR_SET_PDEATHSIG). Nothing is left to write into what a later build makes.
_TIE = ("setpriv", "--pdeathsig=KILL", "--")

_running: set[subprocess.Popen[Any]] = set()

#: What a program sees besides what its caller names: nothing of the user's shell but these, and those whose names
#: are in RIGFORGE_KEEP.
KEPT = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")


#: Of libfaketime: what `rigforge.reproduce` shifts the clock by.
CLOCK = ("FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "LD_PRELOAD", "NO_FAKE_STAT")


class CommandFailed(RigforgeError):
    """A program ended with a code other than 0; the message can be pasted into a shell."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        self.argv = list(argv)
        self.returncode = returncode
        self.output = output
        tail = "\n".join(output.strip().splitlines()[-20:])
        super().__init__(f"exit {returncode} from: {shlex.join(argv)}" + (f"\n{tail}" if tail else ""))


def minimal_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment for a program: `KEPT`, a fixed locale and time zone, and `extra`."""
    names = (*KEPT, "RIGFORGE_KEEP", *os.environ.get("RIGFORGE_KEEP", "").split())
    environment = {name: os.environ[name] for name in names if name in os.environ}
    path = environment.get("PATH", "")
    # Debian keeps mkfs, losetup and chroot in sbin, which an ordinary user's PATH lacks.
    environment["PATH"] = ":".join(filter(None, [path, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]))
    return {**environment, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", **(extra or {})}


def clock() -> dict[str, str]:
    """Returns the variables that shift the clock, where RIGFORGE_KEEP names them; programs in roots have them too."""
    names = set(os.environ.get("RIGFORGE_KEEP", "").split()).intersection(CLOCK)
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}


def run(
    argv: Sequence[Argument],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    log: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end and returns it with its standard output and error as text.

    `env` is added to the minimal environment. With `log`, both streams go to that file instead
    (and the failure message quotes its end). The program gets no terminal and an empty standard
    input unless `stdin` is given. Ctrl-C ends it before KeyboardInterrupt goes on.

    Raises CommandFailed unless `check` is false, RigforgeError where the program is not installed.
    """
    words = [str(word) for word in argv]
    sink = log.open("ab") if log else None
    try:
        process: subprocess.Popen[str] = _start(
            words,
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=sink or subprocess.PIPE,
            stderr=sink or subprocess.PIPE,
            text=True,
            errors="replace",
        )
    finally:
        if sink:
            sink.close()
    try:
        stdout, stderr = process.communicate(stdin)
    except BaseException:
        _end(process)
        raise
    finally:
        _running.discard(process)
    result = subprocess.CompletedProcess(words, process.returncode, stdout or "", stderr or "")
    if check and process.returncode:
        output = log.read_text(errors="replace") if log else result.stdout + result.stderr
        raise CommandFailed(words, process.returncode, output)
    return result


def pipe(
    argv: Sequence[Argument], take: Callable[[memoryview], object], *, env: Mapping[str, str] | None = None
) -> None:
    """Runs a program to its end, and calls `take` with each piece of its standard output as it comes.

    A piece is overwritten by the next one. Else as `run`. An error of `take` ends the program and goes on.
    """
    words = [str(word) for word in argv]
    with tempfile.TemporaryFile() as said:
        process: subprocess.Popen[bytes] = _start(
            words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, bufsize=0
        )
        try:
            output = cast(io.FileIO, process.stdout)
            # Fewer turns between the two: a pipe holds 64 KiB by itself, where the user may have no larger one.
            with suppress(PermissionError):
                fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _CHUNK)
            piece = memoryview(bytearray(_CHUNK))
            while count := output.readinto(piece):
                take(piece[:count])
            process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            _running.discard(process)
            output.close()
        if process.returncode:
            said.seek(0)
            raise CommandFailed(words, process.returncode, said.read().decode(errors="replace"))


def end_all() -> None:
    """Ends all programs that other threads are waiting for; their `run` then raises CommandFailed."""
    for process in list(_running):
        _end(process)


def _start(
    words: Sequence[str], *, env: Mapping[str, str] | None, stdout: IO[Any] | int, stderr: IO[Any] | int, **options: Any
) -> subprocess.Popen[Any]:
    environment = minimal_environment(env)
    if shutil.which(words[0], path=environment["PATH"]) is None:
        raise RigforgeError(f"{words[0]} is not installed", "./bootstrap finds and installs the missing system tools")
    tie = _TIE if shutil.which(_TIE[0], path=environment["PATH"]) else ()
    # Python opens everything for itself alone; what is inheritable is meant for the programs: the lock on a build,
    # which then is held as long as one of them lives.
    process = subprocess.Popen(
        [*tie, *words], env=environment, stdout=stdout, stderr=stderr, close_fds=False, **options
    )
    _running.add(process)
    return process


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
