"""Runs programs, each in a fork of a Python that has imported the doctor: importing it takes longer than looking does.

A line of standard input is a program as JSON: its text, arguments, environment, folder, and the file for its standard
output. The answer is a line with its exit code.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import rigforge.compat.diagnosis
import rigforge.doctor.checks
import rigforge.doctor.nvml  # noqa: F401
from rigforge.compat.gpu import by_pci
from rigforge.compat.tables import tables

# The tables are the package's own, and the same for every machine.
tables()
by_pci("2684")


def forked() -> dict[str, Any] | None:
    """Returns a program in the process that is to run it, and None in the server once there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            program: dict[str, Any] = json.loads(line)
            return program
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


if program := forked():
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(program["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.chdir(program["folder"])
    os.environ.clear()
    os.environ.update(program["environment"])
    sys.argv = ["-c", *program["arguments"]]
    # As with `python -c`, it ends as every Python does: a thread that hangs is in its way here too.
    exec(program["text"], {"__name__": "__main__"})
