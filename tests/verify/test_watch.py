"""Watching an installation, and leaving nothing behind whatever happens."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge import process
from rigforge.verify import qemu, watch
from tests.verify.stand_ins import GUEST, guest

# Stands for Packer: starts a "QEMU", writes what a machine would, and waits for it unless it answers.
PACKER = """
import json, pathlib, subprocess, sys, time
folder, says, guest = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
print("==> qemu.machine: Starting VM, booting from CD-ROM", flush=True)
machine = subprocess.Popen([*guest, str(folder / "qemu.pid")])
(folder / "serial.log").write_bytes(says.encode())
if "login:" in says:
    print("==> qemu.machine: Connected to SSH!", flush=True)
elif "killed" in says:
    time.sleep(1)
    machine.kill()
    machine.wait()
    time.sleep(60)
else:
    machine.wait()
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watch, "_LAST_WORDS", 0.1)
    monkeypatch.setattr(watch, "_INTERVAL", 0.1)
    yield


def run(folder: Path, says: str) -> watch.Watch:
    log = folder / "packer.log"
    with watch.watching(folder / "serial.log", log, folder / "qemu.pid") as watched:
        process.run([sys.executable, "-c", PACKER, folder, says, json.dumps(GUEST)], log=log, check=False)
        time.sleep(0.3)
    return watched


def test_stages_and_the_answer_are_timed(tmp_path: Path) -> None:
    seen = run(tmp_path, "rigforge: [1/9] one\r\nrigforge: [1/9] one 1/2 MB\r\nrigforge: [2/9] two\r\nlogin:")
    assert [stage.text for stage in seen.stages] == ["[1/9] one", "[2/9] two"]
    assert seen.seconds_to_ssh is not None
    assert seen.fatal is None


def test_a_failed_installation_is_not_waited_for(tmp_path: Path) -> None:
    begin = time.monotonic()
    seen = run(tmp_path, "rigforge: FAILED: there is no disk\r\nrigforge: attach one\r\n")
    assert seen.fatal == "rigforge: FAILED: there is no disk"
    assert seen.seconds_to_ssh is None
    assert time.monotonic() - begin < 20


def test_a_machine_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """Packer itself goes on trying its port for the whole time-out."""
    begin = time.monotonic()
    seen = run(tmp_path, "killed")
    assert seen.fatal == "QEMU has ended before the machine answered"
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_no_machine_is_left_behind(tmp_path: Path, interruption: type[BaseException]) -> None:
    pidfile = tmp_path / "qemu.pid"
    with guest(pidfile) as machine:
        with (
            pytest.raises(interruption),
            watch.watching(tmp_path / "serial.log", tmp_path / "packer.log", pidfile),
        ):
            raise interruption
        assert machine.wait(10) != 0
    assert qemu.running(pidfile) is None
