"""Whether a storage config can be started, by the firmware of the machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from rigforge.autoinstall.subiquity.actions import Action
from rigforge.autoinstall.subiquity.document import ENDS, Finding, Level

Firmware = Literal["uefi", "bios"]
FIRMWARES: tuple[Firmware, ...] = ("uefi", "bios")

_ESP = "add a partition with flag: boot and grub_device: true, its format as fat32, and its mount at /boot/efi"
_BIOS = "grub_device: true on the disk, and a first partition of 1M with flag: bios_grub"


def findings(actions: Sequence[Action], firmware: Collection[Firmware]) -> Iterator[Finding]:
    """Yields why machines with a kind of firmware are refused: errors where no kind is left, else warnings."""
    checks = {"uefi": _uefi, "bios": _bios}
    faults = {name: fault for name in FIRMWARES if name in firmware and (fault := checks[name](actions))}
    level: Level = "error" if len(faults) == len(set(firmware)) else "warning"
    for name, (key, message, hint) in faults.items():
        other = "" if level == "error" else f", and --firmware {'bios' if name == 'uefi' else 'uefi'} leaves this out"
        yield Finding(level, key, f"on {name.upper()} it is refused: {message}", f"{hint}{other}", harm=ENDS)


def _uefi(actions: Sequence[Action]) -> tuple[str, str, str] | None:
    """The installer wants a partition with grub_device whose file system is mounted at /boot/efi."""
    marked = [part for part in actions if part.type == "partition" and part.body.get("grub_device") == True]  # noqa: E712
    for esp in marked:
        if esp.format and esp.format.mount and esp.format.mount.body["path"] == "/boot/efi":
            return None
    if marked:
        esp = marked[0]
        if not esp.format:
            return (
                esp.key,
                f"{esp.label} has grub_device, and no format",
                "add its format as fat32, mounted at /boot/efi",
            )
        message = f"{esp.label} has grub_device, and is not mounted at /boot/efi"
        return esp.key, message, "add a mount of its format, path: /boot/efi"
    for esp in actions:
        if esp.type == "partition" and (esp.body.get("flag") == "boot" or _at_boot_efi(esp)):
            return esp.key, f"{esp.label} has no grub_device", "grub_device: true on it, not on the disk"
    return "storage.config", "there is no EFI system partition", _ESP


def _at_boot_efi(partition: Action) -> bool:
    mount = partition.format and partition.format.mount
    return bool(mount and mount.body["path"] == "/boot/efi")


def _bios(actions: Sequence[Action]) -> tuple[str, str, str] | None:
    """The installer wants a disk with grub_device."""
    disks = [action for action in actions if action.type == "disk"]
    if any(disk.body.get("grub_device") == True for disk in disks):  # noqa: E712
        return None
    key = disks[0].key if disks else "storage.config"
    return key, "no disk has grub_device", _BIOS
