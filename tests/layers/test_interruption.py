"""Ctrl-C in the middle of privileged work leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rigforge.paths import PROJECT

PROGRAM = """
import sys
from pathlib import Path
from rigforge import namespace
place = Path(sys.argv[1])
namespace.call("tests.layers.test_interruption:mount_and_wait", {"place": str(place)}, log=place / "log")
"""


def mount_and_wait(request: dict[str, Any]) -> None:
    """Inside: mounts something and never ends by itself."""
    place = Path(request["place"])
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place / "mounted"], check=True)
    (place / "ready").touch()
    time.sleep(600)


def test_no_mount_and_no_process_is_left(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (tmp_path / "ready").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0
    finally:
        process.kill()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert str(tmp_path) not in running()


def running() -> str:
    """Returns the command lines of all processes."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)
