"""QEMU: which accelerator works here, and the arguments of a machine that installs from a medium."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rigforge import process
from rigforge.artifacts.iso import Firmware
from rigforge.verify.firmware import Flash

QEMU = "qemu-system-x86_64"
#: The buffer for translated code has 256 MiB of the usual 1024: a full one makes each write to a page that once had
#: code take milliseconds, and a machine that restarts after an installation then clears its memory for hours (7.2).
TCG = "tcg,thread=multi,tb-size=256"
KVM = "kvm"

# A boot sector that ends the guest with a code of its own: mov dx,0xf4; mov al,0x10; out dx,al; hlt; jmp $-1.
_PROBE_CODE = bytes.fromhex("baf400b010eef4ebfd")
# isa-debug-exit ends QEMU with (value << 1) | 1 (qemu/hw/misc/debugexit.c).
_PROBE_EXIT = (0x10 << 1) | 1
_PROBE_SECONDS = 10


def probe(accelerator: str) -> bool:
    """Tells whether a guest of 512 bytes really runs to its end under `accelerator` (seconds)."""
    with tempfile.TemporaryDirectory(prefix="rigforge-probe-") as directory:
        sector = Path(directory) / "sector"
        sector.write_bytes(_PROBE_CODE.ljust(510, b"\0") + b"\x55\xaa")
        machine = [QEMU, "-nodefaults", "-display", "none", "-accel", accelerator, "-m", "16"]
        medium = ["-drive", f"if=floppy,format=raw,readonly=on,file={sector}", "-boot", "a"]
        door = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        result = process.run(["timeout", str(_PROBE_SECONDS), *machine, *medium, *door], check=False)
        return result.returncode == _PROBE_EXIT


def accelerator(
    cpuinfo: Path = Path("/proc/cpuinfo"),
    kvm: Path = Path("/dev/kvm"),
    runs: Callable[[str], bool] = probe,
) -> str:
    """Returns the value for `-accel`: KVM only where the processor has it, the device is ours and a guest runs.

    /dev/kvm can exist, and open, on hosts where no guest gets past its first instructions.
    """
    flags = re.search(r"^flags\s*:.*\b(vmx|svm)\b", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    if flags and os.access(kvm, os.R_OK | os.W_OK) and runs(KVM):
        return KVM
    return TCG


def cpu(accelerator: str) -> str:
    """Returns the value for `-cpu`: all that the accelerator can do, and does fast.

    TCG translates `rep movsb` byte by byte, so the guest's kernel must not take it for the fast way to copy.
    """
    return "host" if accelerator == KVM else "max,-erms,-fsrm"


@dataclass(frozen=True)
class VirtualMachine:
    """A machine with one empty disk, an install medium, and a volume with its autoinstall document.

    What it says on its serial line goes into `serial_log`, and what is written to `serial_socket` is typed there.
    """

    firmware: Firmware
    accelerator: str
    iso: Path
    cidata: Path
    disk: Path
    flash: Flash | None
    serial_log: Path
    serial_socket: Path
    pidfile: Path
    cpus: int = 2
    memory_mib: int = 2048


def _path(path: Path) -> str:
    """Quotes a path for a QEMU option, where a comma would begin the next one."""
    return str(path).replace(",", ",,")


def arguments(machine: VirtualMachine) -> list[list[str]]:
    """Returns the machine as Packer's `qemuargs`: a list of options with their values.

    It is complete: Packer 1.6.6 drops its own drives and devices as soon as one is given. `{{ .SSHHostPort }}`
    is filled in by Packer. The network is closed but for SSH: an install that needs it fails here.

    Under `uefi` the medium comes first in the boot order, as with a stick left in, and has to find out
    by itself that the machine is installed; under the others the disk comes first, and is empty at first.
    """
    medium_first = machine.firmware == "uefi"
    medium_index, disk_index = (0, 1) if medium_first else (1, 0)
    socket = _path(machine.serial_socket)
    return [
        *_board(machine),
        ["-smp", str(machine.cpus)],
        ["-m", str(machine.memory_mib)],
        ["-display", "none"],
        ["-vnc", "none"],
        ["-chardev", f"socket,id=serial,path={socket},server=on,wait=off,logfile={_path(machine.serial_log)}"],
        ["-serial", "chardev:serial"],
        ["-pidfile", str(machine.pidfile)],
        ["-boot", "menu=off"],
        ["-netdev", "user,id=user.0,restrict=on,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22"],
        # Without its ROM the card offers no network boot, which would cost a minute on an empty disk.
        ["-device", "virtio-net-pci,netdev=user.0,romfile="],
        ["-device", "virtio-rng-pci"],
        ["-drive", f"if=none,id=target,format=qcow2,cache=unsafe,discard=unmap,file={_path(machine.disk)}"],
        ["-device", f"virtio-blk-pci,drive=target,serial=rigforge-target,bootindex={disk_index}"],
        ["-drive", f"if=none,id=medium,format=raw,readonly=on,file={_path(machine.iso)}"],
        ["-drive", f"if=none,id=seed,format=raw,file={_path(machine.cidata)}"],
        *_medium(machine.firmware, medium_index),
        *_flash(machine),
    ]


def _board(machine: VirtualMachine) -> list[list[str]]:
    smm = ",smm=on" if machine.firmware == "secureboot" else ""
    return [["-machine", f"q35{smm}"], ["-accel", machine.accelerator], ["-cpu", cpu(machine.accelerator)]]


def _medium(firmware: Firmware, bootindex: int) -> list[list[str]]:
    """The medium is a DVD for BIOS and a stick for UEFI, so that both ways of using it are tried."""
    if firmware == "bios":
        return [
            ["-device", f"ide-cd,drive=medium,bootindex={bootindex}"],
            ["-device", "virtio-blk-pci,drive=seed"],
        ]
    return [
        ["-device", "qemu-xhci,id=usb"],
        ["-device", f"usb-storage,bus=usb.0,drive=medium,removable=on,bootindex={bootindex}"],
        ["-device", "usb-storage,bus=usb.0,drive=seed,removable=on"],
    ]


def _flash(machine: VirtualMachine) -> list[list[str]]:
    if machine.flash is None:
        return []
    flash = [
        ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_path(machine.flash.code)}"],
        ["-drive", f"if=pflash,unit=1,format=raw,file={_path(machine.flash.variables)}"],
    ]
    if machine.firmware == "secureboot":
        # Variables can be written from system management mode only, so the guest cannot forge them.
        flash += [["-global", "driver=cfi.pflash01,property=secure,value=on"], ["-global", "ICH9-LPC.disable_s3=1"]]
    return flash


def end(pidfile: Path) -> bool:
    """Ends the QEMU that wrote `pidfile`, if it still runs; tells whether it did."""
    if (pid := running(pidfile)) is None:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def running(pidfile: Path) -> int | None:
    """Returns the process id of the QEMU that wrote `pidfile`, or None when it has ended.

    A process that merely got the same number later does not name this file on its command line.
    """
    try:
        pid = int(pidfile.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if str(pidfile).encode() in words else None
