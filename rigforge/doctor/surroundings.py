"""The system around the doctor, and cures that fit it: what a container lacks, its host has to mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from rigforge.doctor.check import Check
from rigforge.doctor.machine import Machine

Place = Literal["machine", "container", "wsl", "live"]

#: Checks of what a container and WSL get from the system around them.
OUTSIDE = frozenset(
    {
        *("gpu-bus", "gpu-cards", "gpu-link-width", "gpu-link-speed", "gpu-xid", "gpu-ecc", "gpu-mode", "gpu-peers"),
        *("gpu-temperature", "gpu-fan", "gpu-power", "gpu-throttle", "gpu-persistence", "card-driver", "nvidia-uvm"),
        *("driver-module", "driver-start", "driver-build", "kernel-errors", "fabric-manager"),
        *("gpu-memory-temperature", "gpu-memory-wear", "gpu-inforom", "gpu-recovery", "gpu-nvlink", "gpu-link-errors"),
        *("gpu-bar1", "gpu-peers-path", "gpu-throttle-time", "driver-options"),
    }
)

#: Checks of the driver, which WSL has from Windows.
DRIVER = frozenset({"driver-module", "driver-user-space", "driver-start", "gpu-bus", "cuda", "nvidia-uvm"})

#: What is said instead in a live session, where nothing that is written outlives a restart.
LIVE = {
    "nouveau": "start it again: press e in the boot menu, and add modprobe.blacklist=nouveau to the line with linux",
    "next-kernel": "make the stick anew with a kernel that has the module",
    "held-packages": "",
}

_IN_WINDOWS = "in Windows: install NVIDIA's newest driver, then: wsl --shutdown; inside of WSL install no driver"
_UNTIL_RESTART = " (in this live session, until it ends)"
_LASTING = ("/etc/", "apt-get", "dkms", "mokutil", "systemctl enable")


def place(machine: Machine) -> Place:
    """Returns where the doctor runs: WSL by its kernel's name, a live session by the mark of its boot."""
    if machine.container:
        return "container"
    if machine.wsl:
        return "wsl"
    booted = machine.text("proc/cmdline").split()
    if "boot=live" in booted or "boot=casper" in booted or (machine.root / "run/live/medium").is_dir():
        return "live"
    return "machine"


def fitted(checks: Iterable[Check], where: Place) -> tuple[Check, ...]:
    """Returns the checks with cures that can be done where they are read."""
    return tuple(replace(check, fix=_fix(check, where)) if check.fix else check for check in checks)


def _fix(check: Check, where: Place) -> str:
    if where == "wsl" and check.id in DRIVER:
        return _IN_WINDOWS
    if where in ("container", "wsl") and check.id in OUTSIDE:
        return f"{'on the host' if where == 'container' else 'in Windows'}: {check.fix}"
    if where == "live":
        fix = LIVE.get(check.id, check.fix)
        return fix + _UNTIL_RESTART if fix and any(word in fix for word in _LASTING) else fix
    return check.fix
