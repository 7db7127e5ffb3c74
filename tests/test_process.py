"""A program ends with the process that waits for it, however that ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rigforge import process
from rigforge.errors import RigforgeError

WAITING = """
import sys
from rigforge.process import run
run(sys.argv[1:])
"""


def killed_while_it_waits_for(*command: str, started: Path) -> float:
    """Kills the process that waits for a command, and returns the seconds until that makes `started` no longer grow."""
    waiting = subprocess.Popen([sys.executable, "-c", WAITING, *command])
    while not started.exists():
        time.sleep(0.02)
    waiting.send_signal(signal.SIGKILL)
    waiting.wait()
    begin, size = time.monotonic(), -1
    while started.stat().st_size != size:
        size = started.stat().st_size
        time.sleep(0.3)
        assert time.monotonic() - begin < 10, "it is still at work"
    return time.monotonic() - begin


WRITER = "while :; do echo x >> {file}; sleep 0.05; done"


def test_a_killed_process_leaves_no_program_behind(tmp_path: Path) -> None:
    file = tmp_path / "written"
    assert killed_while_it_waits_for("sh", "-c", WRITER.format(file=file), started=file) < 2


def test_nor_one_in_a_namespace_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "written"
    writer = f"({WRITER.format(file=file)}) & wait"
    isolated = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", writer)
    assert killed_while_it_waits_for(*isolated, started=file) < 2


def test_a_program_that_is_not_installed_is_named() -> None:
    with pytest.raises(RigforgeError, match="no-such-program is not installed"):
        process.run(["no-such-program"])
