"""The files by which programs reach the driver (/dev/nvidiactl, /dev/nvidia0 …), and who may open them."""

from __future__ import annotations

import errno
import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rigforge.compat.interpreter import NOBODY, Person
from rigforge.doctor import device_nodes, jupyter_units
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.uvm import MAKE
from rigforge.doctor.cuda_driver import pwd_name
from rigforge.doctor.device_nodes import CONTROL, UNIFIED
from rigforge.doctor.machine import Machine

FILES = Topic("device-files", "CUDA opens the driver's device files as the user whose program it is.")

_ANEW = "make the container anew (docker rm, docker run --gpus all …)"
_OURS = "sudo nvidia-modprobe -c=0"

#: What NVML says in a container whose cgroup keeps it from the files (nvidia-container-toolkit, "Failed to initialize
#: NVML: Unknown Error").
_FORBIDDEN = ("Unknown Error", "Insufficient Permissions")


def checks(machine: Machine, person: Person | None, home: str) -> Iterator[Check]:
    """Yields the check for a person who computes (None: who runs this), whose home is `home`."""
    yield FILES.of(lambda: _files(machine, person, home))


def for_members(machine: Machine) -> bool:
    """Tells whether the files are there for the members of a group alone."""
    mode, group, _ = device_nodes.mode_and_group(machine)
    if group and mode & 0o066 == 0o060:
        return True
    nodes = [node.stat() for node in device_nodes.nodes(machine)]
    return any(each.st_gid and stat.S_ISCHR(each.st_mode) and each.st_mode & 0o066 == 0o060 for each in nodes)


def _files(machine: Machine, person: Person | None, home: str) -> Check:
    if not machine.loaded:
        return FILES.not_applicable("no NVIDIA driver is loaded")
    if trouble := _hidden_from_jupyter(machine, home) or _made_for_few(machine, person):
        return trouble
    nodes = device_nodes.nodes(machine)
    for node in nodes:
        if trouble := _wrong_number(machine, node) or _wrong_mode(machine, node, person) or _forbidden(machine, node):
            return trouble
    if machine.container and machine.nvml.error in _FORBIDDEN:
        return _not_allowed(machine, f"NVML says: {machine.nvml.error}")
    if not nodes:
        if machine.container and (machine.root / "dev").is_dir():
            devices = machine.environment.get("NVIDIA_VISIBLE_DEVICES", "all")
            setting = (
                f", which was started with NVIDIA_VISIBLE_DEVICES={devices}" if devices in ("", "none", "void") else ""
            )
            measured = f"no /dev/nvidia* in this container{setting}"
            return FILES.failed(measured, "start it with: docker run --gpus all -e NVIDIA_VISIBLE_DEVICES=all …")
        return FILES.not_applicable("no /dev/nvidia* to look at")
    names = {node.name for node in nodes}
    cure = _ANEW if machine.container else _OURS
    if CONTROL not in names:
        return FILES.failed(f"/dev/{CONTROL} is missing", cure)
    gpus = sum(name.removeprefix("nvidia").isdecimal() for name in names)
    return FILES.ok(f"those of {gpus} GPUs") if gpus else FILES.failed("there is none of a GPU, as /dev/nvidia0", cure)


def _wrong_number(machine: Machine, node: Path) -> Check | None:
    """Returns that a file has a number that the driver no longer has: that of nvidia-uvm changes with each loading."""
    status, numbers = node.stat(), device_nodes.numbers(machine)
    names = (UNIFIED,) if node.name.startswith(UNIFIED) else device_nodes.OF_GPUS
    right = {numbers[name] for name in names if name in numbers}
    if not stat.S_ISCHR(status.st_mode) or not right or os.major(status.st_rdev) in right:
        return None
    measured = f"/dev/{node.name} has the number {os.major(status.st_rdev)}, the loaded driver {min(right)}"
    return FILES.failed(measured, _ANEW if machine.container else f"sudo rm /dev/{node.name} && {MAKE}")


def _wrong_mode(machine: Machine, node: Path, person: Person | None) -> Check | None:
    status = node.stat()
    uid, groups = _who(person)
    shift = 6 if uid == status.st_uid else 3 if status.st_gid in groups else 0
    if not stat.S_ISCHR(status.st_mode) or not uid or (status.st_mode >> shift) & 0o6 == 0o6:
        return None
    measured = f"/dev/{node.name} is {stat.filemode(status.st_mode)} of group {_group(status.st_gid)}"
    return _for_few(measured, status.st_mode, status.st_gid, uid, "grep -r nvidia /etc/udev/rules.d says who closed it")


def _made_for_few(machine: Machine, person: Person | None) -> Check | None:
    """Returns that the driver makes its files for few (NVreg_DeviceFileMode, NVreg_DeviceFileGID of its README)."""
    mode, group, file = device_nodes.mode_and_group(machine)
    uid, groups = _who(person)
    if mode & 0o006 == 0o006 or not uid or (group in groups and mode & 0o060 == 0o060):
        return None
    measured = f"the driver makes its device files with mode {mode:04o} for group {_group(group)}"
    cure = (
        f"take NVreg_DeviceFileMode out of {file or '/etc/modprobe.d'}, then: sudo update-initramfs -u && sudo reboot"
    )
    return _for_few(measured, mode, group, uid, cure)


def _for_few(measured: str, mode: int, group: int, uid: int, cure: str) -> Check | None:
    if not group or mode & 0o060 != 0o060:
        return FILES.failed(f"{measured}: only root may use the GPUs", f"sudo chmod 666 /dev/nvidia*; {cure}")
    if uid == NOBODY:  # as somebody chose, and nobody says who computes
        return None
    join = f"sudo usermod --append --groups {_group(group)} {pwd_name(uid)}, then log in again"
    return FILES.failed(f"{measured}: {pwd_name(uid)} is no member", join)


def _forbidden(machine: Machine, node: Path) -> Check | None:
    """Returns that a device is opened for nobody here, whatever its mode says: the rules of a cgroup."""
    if machine.root != Path("/") or not node.is_char_device():
        return None
    try:
        os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EPERM:
            return _not_allowed(machine, f"/dev/{node.name}: {error.strerror}")
    return None


def _not_allowed(machine: Machine, measured: str) -> Check:
    if not machine.container:
        cure = "systemctl status $$ names the unit; DeviceAllow=char-nvidia* in it lets its programs in"
        return FILES.failed(f"{measured}: the rules of a cgroup forbid it", cure)
    return FILES.failed(
        f"{measured}: its cgroup keeps the container from the GPUs (as after systemctl daemon-reload on the host)",
        f"{_ANEW}; with --device /dev/nvidiactl --device /dev/nvidia-uvm --device /dev/nvidia0 besides it stays so",
    )


def _hidden_from_jupyter(machine: Machine, home: str) -> Check | None:
    """Returns that a notebook's service sees no device files (systemd.exec(5), systemd.resource-control(5))."""
    of_unit: dict[str, list[jupyter_units.UnitSetting]] = {}
    for setting in jupyter_units.settings(machine, home):
        of_unit.setdefault(setting.unit, []).append(setting)
    for unit, settings in of_unit.items():
        last = {setting.name: setting for setting in settings}
        allowed = any(setting.name == "DeviceAllow" and "nvidia" in setting.value for setting in settings)
        for name, closing in (
            ("PrivateDevices", ("yes", "true", "on", "1")),
            ("DevicePolicy", () if allowed else ("closed", "strict")),
        ):
            if name in last and last[name].value.lower() in closing:
                file = last[name].file
                measured = f"{unit} ({file}): {name}={last[name].value} keeps the GPUs from notebooks"
                return FILES.failed(measured, f"sudo sed -i '/^{name}=/d' {file} && {last[name].restart}")
    return None


def _who(person: Person | None) -> tuple[int, set[int]]:
    if person:
        return person.uid, {person.gid, *person.groups}
    return os.geteuid(), {os.getegid(), *os.getgroups()}


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return str(number)
