"""The one place where the installer runs other programs.

What they print goes where the installer's own output goes, which is its log (see `install.main`).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from rigforge.installer.errors import InstallError

Argument = str | Path

#: Called about once a second while a program runs, with its process id.
Watch = Callable[[int], None]

INTERVAL = 1.0


class ProgramFailed(InstallError):
    """A program ended with a code other than 0."""

    def __init__(self, argv: Sequence[str], returncode: int) -> None:
        super().__init__(f"exit {returncode} from: {shlex.join(argv)}", "the end of the log has what it said")
        self.returncode = returncode


def run(
    argv: Sequence[Argument],
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    check: bool = True,
) -> int:
    """Runs a program to its end and returns its exit code.

    The log gets the command line and all that the program prints, but never `stdin`: that is the way for secrets.
    `environment` is added to a small fixed one.

    Raises CommandFailed unless `check` is false, InstallError where there is no such program.
    """
    return _run(argv, stdin, environment or {}, watch, None, check, None)


def output_of(
    argv: Sequence[Argument], *, cwd: Path | None = None, watch: Watch | None = None, check: bool = True
) -> str:
    """Runs a program to its end in the folder `cwd` and returns its standard output; the rest is as in `run`."""
    # A file, because a pipe that nobody empties would stop the program.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        _run(argv, "", {}, watch, output, check, cwd)
        output.seek(0)
        return output.read()


def _run(
    argv: Sequence[Argument],
    stdin: str,
    environment: Mapping[str, str],
    watch: Watch | None,
    output: IO[str] | None,
    check: bool,
    cwd: Path | None,
) -> int:
    words = [str(word) for word in argv]
    print(f"+ {shlex.join(words)}", flush=True)
    try:
        process = subprocess.Popen(
            words,
            env={**_environment(), **environment},
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            cwd=cwd,
            text=True,
        )
    except FileNotFoundError as error:
        raise InstallError(f"{words[0]} is not on this medium") from error
    with process:
        if process.stdin:
            # A program that ends without reading says why by its exit code.
            with suppress(BrokenPipeError):
                process.stdin.write(stdin)
                process.stdin.close()
        while watch and _goes_on(process):
            watch(process.pid)
    if check and process.returncode:
        raise ProgramFailed(words, process.returncode)
    return process.returncode


def _goes_on(process: subprocess.Popen[str]) -> bool:
    try:
        process.wait(INTERVAL)
    except subprocess.TimeoutExpired:
        return True
    return False


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        # LVM complains to the log about every file that the installer has open.
        "LVM_SUPPRESS_FD_WARNINGS": "1",
    }
