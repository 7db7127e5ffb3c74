"""A machine in QEMU for installations that go wrong: it can be cut off, saved at a moment, and given bad disks."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rigforge.autoinstall import seed_image
from rigforge.autoinstall.render import rendered
from rigforge.lock.model import read
from rigforge.stack.load import load
from rigforge.verify import qemu, serial
from rigforge.verify.expectations import TEST_HOSTNAME, stand_in
from rigforge.verify.files import Files
from rigforge.verify.iso import free_port

#: What the installer says in the end.
INSTALLED = "rigforge: installed, rebooting"
FAILED = "rigforge: FAILED: "

DISK_GIB = 12


class Guest:
    """A machine that is switched on; `cut` switches it off as a power cut does."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, monitor: Path) -> None:
        self._process, self._log, self._monitor = process, log, monitor

    def said(self, *texts: str, seconds: float = 900) -> str:
        """Waits until its serial console says one of `texts`, and returns that line."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            lines = self._log.read_text(errors="replace").split("\n") if self._log.exists() else []
            for line in map(serial.plain, lines):
                if any(text in line for text in texts):
                    return line
            time.sleep(0.05)
        raise AssertionError(f"it did not say {' or '.join(texts)}:\n{serial.tail(self._log, 40)}")

    def answers(self, port: int, seconds: float = 900) -> None:
        """Waits until its SSH server speaks."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as line:
                if line.recv(8) == b"SSH-2.0-":
                    return
            time.sleep(1)
        raise AssertionError(f"its SSH server does not answer:\n{serial.tail(self._log, 40)}")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Has QEMU do something (docs/interop/qmp-spec in QEMU) and returns its answer."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self._monitor))
            said = line.makefile("rw")
            said.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                said.write(json.dumps(request) + "\n")
                said.flush()
                while "event" in (answer := json.loads(said.readline())):
                    pass
            assert "return" in answer, answer
            return answer["return"]

    def cut(self) -> None:
        self._process.kill()
        self._process.wait()


class Rig:
    """A machine with BIOS, a disk that stays between two starts, and a stack's medium and document.

    The disk comes first in its boot order, so that a system on it which is not complete would be started.
    """

    def __init__(self, stack: str, iso: Path, folder: Path) -> None:
        self.files, self.folder, self.port = Files(folder), folder, free_port()
        self.iso = iso
        installed = stand_in(load(stack), self.files.prepare())
        seed = seed_image.nocloud(rendered(installed, read(load(stack).lock_path)), TEST_HOSTNAME)
        seed_image.write_volume(seed, self.files.cidata, 1024)
        self.files.disk.parent.mkdir()
        command = ["qemu-img", "create", "-q", "-f", "qcow2", self.files.disk, f"{DISK_GIB}G"]
        subprocess.run(command, check=True)

    @contextmanager
    def on(self, *, drive: str = "", device: str = "", bus: str = "", state: str = "") -> Iterator[Guest]:
        """Switches it on, from a saved `state` if one is named.

        `drive` and `device` are QEMU's options for another disk than its own, `bus` what that is plugged into.
        """
        log, monitor = self.files.serial_log, self.folder / "monitor"
        log.unlink(missing_ok=True)
        command = [qemu.QEMU, *(("-device", bus) if bus else ()), *self._arguments(drive, device)]
        command += ["-qmp", f"unix:{monitor},server=on,wait=off", *(("-loadvm", state) if state else ())]
        with (self.folder / "qemu.log").open("wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            yield Guest(process, log, monitor)
        finally:
            process.kill()
            process.wait()

    def with_disk_of(self, other: Rig) -> None:
        """Takes a copy of another machine's disk in place of its own."""
        shutil.copy(other.files.disk, self.files.disk)

    def _arguments(self, drive: str, device: str) -> Sequence[str]:
        machine = qemu.VirtualMachine(
            firmware="bios",
            accelerator=qemu.accelerator(),
            iso=self.iso,
            cidata=self.files.cidata,
            disk=self.files.disk,
            flash=None,
            serial_log=self.files.serial_log,
            serial_socket=self.folder / "serial",
            pidfile=self.files.pidfile,
            memory_mib=1024,
        )
        words = [word for pair in qemu.arguments(machine) for word in pair]
        changed = []
        for word in words:
            if "id=target," in word and drive:
                word = drive
            elif "drive=target," in word and device:
                word = device
            elif "id=seed," in word:
                word += ",readonly=on"  # else no state can be saved: it is no qcow2
            changed.append(word.replace("{{ .SSHHostPort }}", str(self.port)))
        return changed
