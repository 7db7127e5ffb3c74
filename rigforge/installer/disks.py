"""The machine's disks, and the choice of the one to install to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rigforge.installer.command import output_of
from rigforge.installer.errors import InstallError
from rigforge.rules.disk_match import DiskMatch, names_one
from rigforge.rules.sizes import GIB, of_disk

COLUMNS = "NAME,PATH,TYPE,SIZE,RO,RM,ROTA,TRAN,MODEL,SERIAL,LABEL,FSTYPE,MOUNTPOINTS"

#: Where udev keeps the lasting names of disks.
LINKS = (Path("/dev/disk/by-id"), Path("/dev/disk/by-path"))


@dataclass(frozen=True)
class Disk:
    """A block device with nothing below it, and what is on it; `size` is in bytes.

    `links` are udev's other names for it; `labels`, `filesystems` and `mounted` (mount points) are
    those of the disk itself and of everything on it.
    """

    path: str
    size: int
    kind: str = "disk"
    model: str = ""
    serial: str = ""
    ssd: bool = False
    removable: bool = False
    read_only: bool = False
    links: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    filesystems: frozenset[str] = frozenset()
    mounted: tuple[str, ...] = ()

    def __str__(self) -> str:
        serial = f"serial {self.serial}" if self.serial else ""
        return ", ".join(filter(None, (self.path, of_disk(self.size), self.model, serial)))


def needed_bytes(rootfs_bytes: int) -> int:
    """Returns the size in bytes that a disk has to have for a system of `rootfs_bytes`."""
    return rootfs_bytes * 13 // 10 + GIB


def scan() -> tuple[Disk, ...]:
    """Returns the disks of this machine, as lsblk and udev know them."""
    links: dict[str, list[str]] = {}
    for folder in LINKS:
        for link in sorted(folder.iterdir()) if folder.is_dir() else ():
            links.setdefault(str(link.resolve()), []).append(str(link))
    return parse(json.loads(output_of(["lsblk", "--json", "--bytes", "--output", COLUMNS])), links)


def parse(lsblk: Mapping[str, Any], links: Mapping[str, Sequence[str]]) -> tuple[Disk, ...]:
    """Returns the disks in the output of `lsblk --json --bytes --output COLUMNS`; `links`: udev's names of a path."""
    return tuple(_disk(device, tuple(links.get(device["path"], ()))) for device in lsblk["blockdevices"])


def _disk(device: Mapping[str, Any], links: tuple[str, ...]) -> Disk:
    tree = tuple(_tree(device))
    return Disk(
        path=device["path"],
        size=int(device["size"] or 0),
        kind=device["type"],
        model=(device["model"] or "").strip(),
        serial=(device["serial"] or "").strip(),
        ssd=not device["rota"],
        # The RM flag says that the medium can be taken out of the drive; a USB disk goes with its drive.
        removable=bool(device["rm"]) or device["tran"] == "usb",
        read_only=bool(device["ro"]),
        links=links,
        labels=frozenset(part["label"] for part in tree if part["label"]),
        filesystems=frozenset(part["fstype"] for part in tree if part["fstype"]),
        mounted=tuple(point for part in tree for point in part["mountpoints"] if point),
    )


def _tree(device: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield device
    for child in device.get("children", ()):
        yield from _tree(child)


def choose(disks: Sequence[Disk], rules: Sequence[DiskMatch], needed: int) -> Disk:
    """Returns the one disk to install to.

    The first of `rules` that some usable disk of at least `needed` bytes meets decides; without rules every disk
    meets. `size` prefers the largest or smallest of them. Raises InstallError when no disk is left, or more than one.
    """
    for rule in rules or (DiskMatch(),):
        fitting = [disk for disk in disks if meets(disk, rule) and not unfit(disk, rule, needed)]
        if rule.size and fitting:
            extreme = (min if rule.size == "smallest" else max)(disk.size for disk in fitting)
            fitting = [disk for disk in fitting if disk.size == extreme]
        if len(fitting) > 1:
            raise _ambiguous(fitting, disks)
        if fitting:
            return fitting[0]
    raise _none(disks, rules, needed)


def meets(disk: Disk, rule: DiskMatch) -> bool:
    """Returns whether the disk is one that the rule asks for, size aside."""
    return (
        (rule.ssd is None or rule.ssd == disk.ssd)
        and (rule.serial is None or fnmatchcase(disk.serial, rule.serial))
        # udev writes models with underscores, lsblk and the label on the disk with spaces.
        and (rule.model is None or fnmatchcase(disk.model.replace("_", " "), rule.model.replace("_", " ")))
        and (rule.path is None or any(fnmatchcase(path, rule.path) for path in (disk.path, *disk.links)))
    )


def unfit(disk: Disk, rule: DiskMatch, needed: int) -> str:
    """Returns why the disk cannot be installed to, or "" when it can.

    A path or serial without wildcards names a disk; some disks are taken only when they are named.
    """
    if any(point.startswith("/run/live/") for point in disk.mounted):
        return "is the install medium"
    if any(label.upper() == "CIDATA" for label in disk.labels):
        return "holds the autoinstall document (CIDATA)"
    if disk.mounted:
        return f"is in use at {', '.join(disk.mounted)}"
    if disk.read_only or disk.kind == "rom":
        return "cannot be written"
    if disk.kind not in ("disk", "loop") or disk.path.startswith(("/dev/zram", "/dev/fd")):
        return "is not a disk"
    if disk.size < needed:
        return f"is too small: {of_disk(needed)} are needed"
    if not any(map(names_one, filter(None, (rule.path, rule.serial)))):
        if disk.kind == "loop":
            return "is not a disk"
        if disk.removable:
            return "is removable, and no rule names it"
        if "iso9660" in disk.filesystems:
            return "holds an install medium, and no rule names it"
    return ""


def match_line(disk: Disk, disks: Sequence[Disk]) -> str:
    """Returns the `match` line that names this one of `disks`."""
    if names_one(disk.serial) and [other.serial for other in disks].count(disk.serial) == 1:
        return f'match: {{serial: "{disk.serial}"}}'
    return f'match: {{path: "{disk.path}"}}'


def _ambiguous(fitting: Sequence[Disk], disks: Sequence[Disk]) -> InstallError:
    lines = [f"  {disk}\n    {match_line(disk, disks)}" for disk in fitting]
    return InstallError(
        "\n".join([f"{len(fitting)} disks fit equally well, so none was chosen:", *lines]),
        "put the match line of the right one under storage: layout: in the autoinstall document",
    )


def _none(disks: Sequence[Disk], rules: Sequence[DiskMatch], needed: int) -> InstallError:
    lines = []
    for disk in disks:
        met = [rule for rule in rules or (DiskMatch(),) if meets(disk, rule)]
        reason = unfit(disk, met[0], needed) if met else "is not one that storage: layout: match: asks for"
        lines.append(f"  {disk}: {reason}")
    return InstallError(
        "\n".join(["there is no disk to install to:", *(lines or ["  the machine shows no disk at all"])]),
        "attach a disk, switch the controller from RAID to AHCI in the firmware setup, or correct the match rule",
    )
