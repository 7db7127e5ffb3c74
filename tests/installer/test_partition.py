"""The partition table, the file systems, and what is taken down before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rigforge.installer.partition import (
    BIOS_BOOT,
    ESP,
    LINUX,
    LUKS,
    LVM,
    ROOT_X86_64,
    Filesystem,
    free_name,
    make_ext4,
    make_fat,
    partition_path,
    sfdisk_script,
    table,
    take_down_order,
    write_table,
)
from rigforge.installer.storage_section import DiskLayout
from rigforge.verify import qemu

MIB = 2**20
DISK = 8 * 2**30

DIRECT = DiskLayout("direct")
VOLUME_GROUP = DiskLayout("lvm")
ENCRYPTED = DiskLayout("lvm", password="a long passphrase")


def written(storage: DiskLayout, tmp_path: Path) -> list[dict[str, object]]:
    """Returns the partitions that sfdisk finds on a disk that it has laid out for `storage`."""
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(DISK)
    write_table(str(disk), table(storage))
    output = subprocess.run(["sfdisk", "--json", disk], capture_output=True, text=True, check=True).stdout
    read = json.loads(output)["partitiontable"]
    assert read["label"] == "gpt" and read["sectorsize"] == 512
    partitions: list[dict[str, object]] = read["partitions"]
    return partitions


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (DIRECT, [("rigforge-bios", BIOS_BOOT, 1), ("rigforge-esp", ESP, 512), ("rigforge-root", ROOT_X86_64, 7677)]),
        (VOLUME_GROUP, [("rigforge-bios", BIOS_BOOT, 1), ("rigforge-esp", ESP, 512), ("rigforge-root", LVM, 7677)]),
        (
            ENCRYPTED,
            [
                ("rigforge-bios", BIOS_BOOT, 1),
                ("rigforge-esp", ESP, 512),
                ("rigforge-boot", LINUX, 1024),
                ("rigforge-root", LUKS, 6653),
            ],
        ),
    ],
)
def test_sfdisk_writes_the_layout(storage: DiskLayout, expected: list[tuple[str, str, int]], tmp_path: Path) -> None:
    partitions = written(storage, tmp_path)
    assert [(row["name"], row["type"], int(str(row["size"])) * 512 // MIB) for row in partitions] == expected


@pytest.mark.parametrize("storage", [DIRECT, VOLUME_GROUP, ENCRYPTED])
def test_partitions_begin_at_whole_mebibytes_and_fill_the_disk(storage: DiskLayout, tmp_path: Path) -> None:
    partitions = written(storage, tmp_path)
    assert partitions[0]["start"] == MIB // 512
    assert all(int(str(row["start"])) * 512 % MIB == 0 for row in partitions)
    end = int(str(partitions[-1]["start"])) + int(str(partitions[-1]["size"]))
    assert DISK - end * 512 < 2 * MIB


def test_a_disk_without_a_boot_loader_lets_bios_go_on_to_the_medium(tmp_path: Path) -> None:
    written(DIRECT, tmp_path)
    # A boot image that ends QEMU with a code of its own: mov dx,0xf4; mov al,0x10; out dx,al (0x10 << 1 | 1).
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium/boot.img").write_bytes(bytes.fromhex("baf400b010ee").ljust(2048, b"\0"))
    iso = ["-o", tmp_path / "iso", "-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4", tmp_path / "medium"]
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", *iso], check=True, capture_output=True)
    machine = ["-nodefaults", "-display", "none", "-m", "16", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    machine += ["-drive", f"if=none,id=disk,format=raw,file={tmp_path / 'disk'}", "-device"]
    machine += [
        "ide-hd,drive=disk,bus=ide.0,bootindex=0",
        "-drive",
        f"if=none,id=iso,format=raw,file={tmp_path / 'iso'}",
    ]
    machine += ["-device", "ide-cd,drive=iso,bus=ide.1,bootindex=1"]
    ended = subprocess.run(["timeout", "60", qemu.QEMU, *machine], check=False)
    assert ended.returncode == 0x21


def test_the_passphrase_is_not_in_the_partition_table() -> None:
    assert str(ENCRYPTED.password) not in sfdisk_script(table(ENCRYPTED))
    assert str(ENCRYPTED.password) not in repr(ENCRYPTED)


@pytest.mark.parametrize(
    ("disk", "path"),
    [
        ("/dev/sda", "/dev/sda3"),
        ("/dev/nvme0n1", "/dev/nvme0n1p3"),
        ("/dev/mmcblk0", "/dev/mmcblk0p3"),
        ("/dev/vdz", "/dev/vdz3"),
    ],
)
def test_partitions_are_named_as_the_kernel_names_them(disk: str, path: str) -> None:
    assert partition_path(disk, 3) == path


def probed(made: Filesystem) -> dict[str, str]:
    output = subprocess.run(
        ["blkid", "--probe", "--output", "export", made.device], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in output.splitlines())


@pytest.mark.parametrize(("make", "kind"), [(make_ext4, "ext4"), (make_fat, "vfat")])
def test_a_file_system_has_the_uuid_that_fstab_gets(make: object, kind: str, tmp_path: Path) -> None:
    device = tmp_path / "partition"
    with device.open("wb") as file:
        file.truncate(512 * MIB)
    assert callable(make)
    made = make(str(device), "/somewhere")
    found = probed(made)
    assert (found["TYPE"], found["UUID"]) == (kind, made.uuid)
    assert (made.type, made.mountpoint) == (kind, "/somewhere")


def test_what_is_built_on_a_device_is_taken_down_before_it() -> None:
    root = {"path": "/dev/mapper/rigforge-root", "type": "lvm"}
    crypt = {"path": "/dev/mapper/rigforge-crypt", "type": "crypt", "children": [root]}
    array = {"path": "/dev/md0", "type": "raid1"}
    disk = {
        "path": "/dev/sda",
        "type": "disk",
        "children": [
            {"path": "/dev/sda1", "type": "part", "children": [array]},
            {"path": "/dev/sda2", "type": "part", "children": [array]},
            {"path": "/dev/sda3", "type": "part", "children": [crypt]},
        ],
    }
    order = [device["path"] for device in take_down_order(disk)]
    assert order == [
        "/dev/md0",
        "/dev/sda1",
        "/dev/sda2",
        "/dev/mapper/rigforge-root",
        "/dev/mapper/rigforge-crypt",
        "/dev/sda3",
        "/dev/sda",
    ]


def test_a_volume_group_on_another_disk_keeps_its_name() -> None:
    assert free_name("rigforge", []) == "rigforge"
    assert free_name("rigforge", ["other", "rigforge"]) == "rigforge2"
    assert free_name("rigforge", ["rigforge", "rigforge2"]) == "rigforge3"
