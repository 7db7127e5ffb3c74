"""Stand-ins for what a verification starts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigforge.verify import firmware, qemu

#: Like QEMU, writes its own number to the file that its command line names, and runs until it is ended.
GUEST = ("sh", "-c", 'echo $$ >"$1"; while :; do sleep 0.2; done', "sh")


@contextmanager
def guest(pidfile: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like the QEMU of `pidfile`."""
    with subprocess.Popen([*GUEST, str(pidfile)]) as process:
        try:
            while not (pidfile.exists() and pidfile.read_text().strip()):
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


def a_machine(folder: Path, kind: qemu.Firmware) -> qemu.VirtualMachine:
    """A machine whose files, but for the firmware's, need not exist."""
    flash = None if kind == "bios" else firmware.flash(kind == "secureboot", folder / "variables.fd")
    return qemu.VirtualMachine(
        firmware=kind,
        accelerator=qemu.TCG,
        iso=folder / "medium.iso",
        cidata=folder / "cidata.img",
        disk=folder / "machine.qcow2",
        flash=flash,
        serial_log=folder / "serial.log",
        serial_socket=folder / "serial",
        pidfile=folder / "qemu.pid",
    )
