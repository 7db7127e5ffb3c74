"""Erasing a disk and laying it out: partition table, encryption, volume group, file systems."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.installer.command import output_of, run
from rigforge.installer.storage_section import DiskLayout

#: GPT partition types. Source: UEFI specification 2.10 (ESP), GNU GRUB manual (BIOS boot),
#: the Discoverable Partitions Specification (the others).
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
ROOT_X86_64 = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
LVM = "E6D6D379-F507-44C2-A23C-238F2A3DF928"
LUKS = "CA7D7CCB-63ED-4C53-861C-1742536059CC"

#: What BIOS starts until a boot loader is installed: it shows the words after it, and has BIOS try the next device. An
#: empty boot sector stops a machine that prefers its disk, with a black screen.
NO_LOADER = (
    bytes.fromhex(
        "fc 31c0 8ed8"  # cld; ds = 0
        "bb0700 be1b7c"  # bx = page and colour; si = the words, behind these 27 bytes
        "ac 84c0 7406"  # the next letter, or on to the end
        "b40e cd10 ebf5"  # int 10h, teletype output
        "cd18 f4 ebfd"  # int 18h, the next device; hlt
    )
    + b"The installation on this disk was cut short: start the medium again.\r\n\0"
)

VOLUME_GROUP = "rigforge"
CRYPT_NAME = "rigforge-crypt"


@dataclass(frozen=True)
class Partition:
    """One row of the partition table; `size` as sfdisk reads it, "" for all that is left."""

    name: str
    type: str
    size: str = ""


@dataclass(frozen=True)
class Filesystem:
    """A file system that was made: its device, where the installed system mounts it, its type and UUID."""

    device: str
    mountpoint: str
    type: str
    uuid: str


@dataclass(frozen=True)
class Volumes:
    """The layout of a disk. `filesystems` are in the order in which they are mounted, root first;
    `luks_uuid` is that of the encrypted partition, "" where there is none."""

    disk: str
    filesystems: tuple[Filesystem, ...]
    luks_uuid: str = ""

    @property
    def root(self) -> Filesystem:
        return self.filesystems[0]

    @property
    def esp(self) -> Filesystem:
        return self.filesystems[-1]


def table(storage: DiskLayout) -> tuple[Partition, ...]:
    """Returns the partitions of a layout, in their order on the disk."""
    encrypted = storage.password is not None
    root_type = LUKS if encrypted else LVM if storage.layout == "lvm" else ROOT_X86_64
    # GRUB cannot ask for a LUKS2 passphrase, so its kernels lie beside the encrypted partition.
    boot = (Partition("rigforge-boot", LINUX, "1GiB"),) if encrypted else ()
    return (
        Partition("rigforge-bios", BIOS_BOOT, "1MiB"),
        Partition("rigforge-esp", ESP, "512MiB"),
        *boot,
        Partition("rigforge-root", root_type),
    )


def sfdisk_script(partitions: tuple[Partition, ...]) -> str:
    """Returns what sfdisk reads to write these partitions, the first at 1 MiB."""
    lines = ["label: gpt"]
    for number, partition in enumerate(partitions):
        size = f"size={partition.size}, " if partition.size else ""
        start = "start=1MiB, " if number == 0 else ""
        lines.append(f'{start}{size}type={partition.type}, name="{partition.name}"')
    return "\n".join(lines) + "\n"


def partition_path(disk: str, number: int) -> str:
    """Returns the device of a disk's partition: /dev/sda1, /dev/nvme0n1p1."""
    return f"{disk}p{number}" if disk[-1].isdigit() else f"{disk}{number}"


def take_down(disk: str) -> list[str]:
    """Ends what the kernel has active on the disk (volume groups, LUKS, RAID); returns the disk and its partitions,
    the disk last. Nothing is written. What is in use stays, and writing the partition table then fails."""
    [tree] = json.loads(output_of(["lsblk", "--json", "--output", "NAME,PATH,TYPE", disk]))["blockdevices"]
    holders = []
    for device in take_down_order(tree):
        kind, path = device["type"], device["path"]
        if kind in ("lvm", "crypt"):
            run(["dmsetup", "remove", "--retry", path], check=False)
        elif kind.startswith("raid"):
            run(["mdadm", "--stop", path], check=False)
        else:
            holders.append(path)
    return holders


def erase(disk: str) -> None:
    """Takes down what is active on the disk, and wipes every signature on it and on its partitions.

    So a half-made installation is never found again, and the next try begins as on a new disk.
    """
    for path in take_down(disk):
        run(["wipefs", "--all", "--force", "--quiet", path])
    run(["udevadm", "settle"])


def take_down_order(tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns a device of lsblk's tree and all that is on it, each after what is built on it, none twice."""
    order: dict[str, Mapping[str, Any]] = {}

    def visit(device: Mapping[str, Any]) -> None:
        for child in device.get("children", ()):
            visit(child)
        order.setdefault(device["path"], device)

    visit(tree)
    return list(order.values())


def lay_out(disk: str, storage: DiskLayout) -> Volumes:
    """Writes the partition table and makes the file systems; the disk has been erased. Returns what was made."""
    partitions = table(storage)
    write_table(disk, partitions)
    run(["udevadm", "settle"])
    paths = {row.name: partition_path(disk, number) for number, row in enumerate(partitions, 1)}
    device, luks_uuid = paths["rigforge-root"], ""
    if storage.password is not None:
        luks_uuid = new_uuid()
        device = _encrypted(device, luks_uuid, storage.password)
    if storage.layout == "lvm":
        device = _logical_volume(device)
    return Volumes(disk, tuple(_filesystems(device, paths)), luks_uuid)


def write_table(disk: str, partitions: tuple[Partition, ...]) -> None:
    """Writes the partition table, and before it what BIOS starts until there is a boot loader."""
    run(["sfdisk", "--quiet", "--wipe", "always", "--wipe-partitions", "always", disk], stdin=sfdisk_script(partitions))
    with Path(disk).open("r+b") as sector:
        sector.write(NO_LOADER)
        sector.flush()
        os.fsync(sector.fileno())  # as sfdisk does: one without the other stops a machine that loses its power now


def _filesystems(root: str, paths: Mapping[str, str]) -> Iterator[Filesystem]:
    yield make_ext4(root, "/")
    if "rigforge-boot" in paths:
        yield make_ext4(paths["rigforge-boot"], "/boot")
    yield make_fat(paths["rigforge-esp"], "/boot/efi")


def make_ext4(device: str, mountpoint: str) -> Filesystem:
    """Makes an ext4 file system on the device, for the installed system to mount at `mountpoint`."""
    filesystem = Filesystem(device, mountpoint, "ext4", new_uuid())
    # The kernel zeroes tables and journal later, in the background.
    options = ["-E", "lazy_itable_init=1,lazy_journal_init=1"]
    run(["mkfs.ext4", "-q", "-F", *options, "-U", filesystem.uuid, device])
    return filesystem


def make_fat(device: str, mountpoint: str) -> Filesystem:
    """Makes a FAT32 file system on the device, for the installed system to mount at `mountpoint`."""
    serial = new_uuid()[:8].upper()
    run(["mkfs.vfat", "-F", "32", "-n", "EFI", "-i", serial, device])
    return Filesystem(device, mountpoint, "vfat", f"{serial[:4]}-{serial[4:]}")


def _encrypted(device: str, uuid: str, passphrase: str) -> str:
    key = ["--key-file", "-"]
    run(["cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--uuid", uuid, *key, device], stdin=passphrase)
    run(["cryptsetup", "open", "--allow-discards", *key, device, CRYPT_NAME], stdin=passphrase)
    return f"/dev/mapper/{CRYPT_NAME}"


def _logical_volume(device: str) -> str:
    group = free_name(VOLUME_GROUP, output_of(["vgs", "--noheadings", "--options", "vg_name"]).split())
    run(["vgcreate", "--yes", group, device])
    run(["lvcreate", "--yes", "--extents", "100%FREE", "--name", "root", group])
    return f"/dev/{group}/root"


def free_name(name: str, names: list[str]) -> str:
    """Returns `name`, or name2, name3, … where another disk has a volume group of that name already."""
    number = 1
    candidate = name
    while candidate in names:
        number += 1
        candidate = f"{name}{number}"
    return candidate


def new_uuid() -> str:
    """Returns a new random UUID, from the kernel."""
    return Path("/proc/sys/kernel/random/uuid").read_text().strip()
