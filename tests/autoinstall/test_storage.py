"""The section `storage`: the verdicts are those of subiquity's server, 24.04.4.1 and 26.04.1, on UEFI and on BIOS."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rigforge.autoinstall.subiquity.accepted import RELEASES
from rigforge.autoinstall.subiquity.boot import FIRMWARES, Firmware
from rigforge.autoinstall.subiquity.document import Finding
from rigforge.autoinstall.subiquity.storage import findings

DISK = "- {type: disk, id: d0, path: /dev/sda, ptable: gpt}\n"
ESP = """\
- {type: partition, id: p0, device: d0, size: 512M, flag: boot, grub_device: true}
- {type: format, id: f0, volume: p0, fstype: fat32}
- {type: mount, id: m0, device: f0, path: /boot/efi}
"""
REST = "- {type: partition, id: p1, device: d0, size: -1}\n"
ROOT = """\
- {type: format, id: f1, volume: p1, fstype: ext4}
- {type: mount, id: m1, device: f1, path: /}
"""
UEFI = DISK + ESP + REST + ROOT
BIOS = DISK.replace("}", ", grub_device: true}") + REST + ROOT
GROUP = "- {type: lvm_volgroup, id: vg, name: vg0, devices: [p1]}\n"
VOLUMES = DISK + ESP + REST + GROUP + "- {type: lvm_partition, id: l1, name: root, volgroup: vg, size: 10G}\n"
VOLUMES += ROOT.replace("p1", "l1")
POOL = DISK + ESP + REST + "- {type: zpool, id: z0, pool: rpool, vdevs: [p1], mountpoint: /}\n"
DOS = (
    """\
- {type: disk, id: d0, path: /dev/sda, ptable: msdos, grub_device: true}
- {type: partition, id: p1, device: d0, size: 20G}
- {type: partition, id: pe, device: d0, size: -1, flag: extended}
- {type: partition, id: p5, device: d0, size: -1, flag: logical}
"""
    + ROOT
)


def found(text: str, *firmware: Firmware) -> list[Finding]:
    return list(findings({"config": yaml.safe_load(text)}, "24.04", firmware or FIRMWARES))


def refused(text: str, firmware: Firmware = "uefi") -> str:
    """Returns the key within storage.config that a config is refused for, and nothing where it is accepted."""
    keys = [each.key.removeprefix("storage.config") for each in found(text, firmware) if each.level == "error"]
    assert len(keys) < 2
    return keys[0] or "." if keys else ""


REFUSED = {
    "an ESP that nothing mounts": ("[1]", UEFI.replace("path: /boot/efi", "path: /efi")),
    "an ESP that is not formatted": ("[1]", DISK + ESP.partition("- {type: format")[0] + REST + ROOT),
    "grub_device on the disk": (
        "[1]",
        UEFI.replace(", grub_device: true", "").replace("gpt}", "gpt, grub_device: true}"),
    ),
    "grub_device as a word": ("[1]", UEFI.replace("grub_device: true", "grub_device: 'true'")),
    "no boot loader": (".", DISK + REST + ROOT),
    "a size in lower case": ("[1].size", UEFI.replace("512M", "512m")),
    "a size below nothing": ("[4].size", UEFI.replace("size: -1", "size: -1M")),
    "a size of minus one, in quotes": ("[4].size", UEFI.replace("size: -1", "size: '-1'")),
    "the rest twice": ("[1].size", UEFI.replace("512M", "-1")),
    "the rest of a group, and more after it": (
        "[6].size",
        VOLUMES.replace("10G", "-1") + "- {type: lvm_partition, id: l2, name: data, volgroup: vg, size: 1G}\n",
    ),
    "a share of a group on a partition of no size": (
        "[4].size",
        VOLUMES.replace(", size: -1", "").replace("10G", "50%"),
    ),
    "the rest of a disk beside a partition of no size": ("[1].size", UEFI.replace(", size: 512M", "")),
    "a disk matched by a word": ("[0].match", UEFI.replace("path: /dev/sda", "match: largest")),
    "a disk matched by nothing": ("[0].match", UEFI.replace("path: /dev/sda", "match: []")),
    "a disk matched by a number": ("[0].match.serial", UEFI.replace("path: /dev/sda", "match: {serial: 5}")),
    "a disk by a word for yes": ("[0].match.ssd", UEFI.replace("path: /dev/sda", "match: {ssd: 'yes'}")),
    "a disk by its link": ("[0].path", UEFI.replace("/dev/sda", "/dev/disk/by-id/x")),
    "a disk by no serial": ("[0].serial", UEFI.replace("path: /dev/sda", "serial: ")),
    "one disk twice": ("[7].path", UEFI + DISK.replace("d0", "d1")),
    "a partition of a partition": ("[4].device", UEFI.replace("p1, device: d0", "p1, device: p0")),
    "a partition that must be there already": ("[4].path", UEFI.replace("size: -1", "size: -1, path: /dev/sda2")),
    "a table that there is not": ("[0].ptable", UEFI.replace("ptable: gpt", "ptable: mbr")),
    "a logical partition of a gpt table": ("[1].flag", UEFI.replace("flag: boot", "flag: logical")),
    "a fifth primary partition": (
        "[9]",
        UEFI.replace("ptable: gpt", "ptable: msdos").replace("size: -1", "size: 1G")
        + "".join(f"- {{type: partition, id: q{n}, device: d0, size: 1G}}\n" for n in range(3)),
    ),
    "a format of a device of an unknown type": (
        "[6].volume",
        DISK + ESP + REST + "- {type: bcache, id: b0, backing_device: p1}\n" + ROOT.replace("p1", "b0"),
    ),
    "a group of unknown partitions": ("[5].devices", VOLUMES.replace("devices: [p1]", "devices: [p9]")),
    "a group of a partition without brackets": ("[5].devices", VOLUMES.replace("[p1]", "p1")),
    "a RAID of a level that there is not": (
        "[4].raidlevel",
        DISK + ESP + "- {type: raid, id: p1, name: md0, raidlevel: 7, devices: [d0]}\n" + ROOT,
    ),
    "a recovery key that goes nowhere": (
        "[5]",
        UEFI.replace(ROOT, "- {type: dm_crypt, id: c1, volume: p1, recovery_keyfile: /k}\n" + ROOT.replace("p1", "c1")),
    ),
    "a pool that mounts nothing": (".", POOL),
    "a data set of the pool's name": (
        "[6].pool",
        POOL + "- {type: zfs, id: zr, pool: rpool, volume: ROOT, properties: {canmount: 'on', mountpoint: /}}\n",
    ),
    "a pool that is mounted perhaps": (
        "[5].fs_properties",
        POOL.replace("mountpoint: /}", "mountpoint: /, fs_properties: {canmount: maybe}}"),
    ),
    "an id that is a list": ("[0].id", UEFI.replace("id: d0", "id: []")),
}

ACCEPTED = {
    "UEFI": UEFI,
    "a size with a space": UEFI.replace("512M", "512 M"),
    "a size in bytes": UEFI.replace("512M", "536870912"),
    "a size of MB": UEFI.replace("512M", "512MB"),
    "a share": UEFI.replace("size: -1", "size: 50%"),
    "a size of the disk": UEFI.replace("ptable: gpt", "ptable: gpt, size: largest"),
    "the largest disk": UEFI.replace("path: /dev/sda", "match: {size: largest}"),
    "any disk": UEFI.replace("path: /dev/sda, ", ""),
    "a list whose second item is not looked at": UEFI.replace("path: /dev/sda", "match: [{size: largest}, x]"),
    "volumes": VOLUMES,
    "volumes of which the last takes the rest": VOLUMES.replace("10G", "-1"),
    "a pool that is mounted": POOL.replace("mountpoint: /}", "mountpoint: /, fs_properties: {canmount: 'on'}}"),
    "data sets, whose names are no ids": POOL
    + "- {type: zfs, id: zr, pool: z0, volume: ROOT, properties: {canmount: 'off', mountpoint: none}}\n"
    + "- {type: zfs, id: zu, pool: z0, volume: ROOT/ubuntu, properties: {canmount: true, mountpoint: /}}\n",
    "RAID": DISK
    + ESP
    + REST
    + "- {type: raid, id: r0, name: md0, raidlevel: mirror, devices: [p1]}\n"
    + ROOT.replace("p1", "r0"),
    "a partition that is kept": UEFI.replace("size: -1", "size: 5G, preserve: true, path: /dev/sda2"),
    "a table by its number alone": UEFI.replace("id: p0", "id: p0, number: 1"),
}


@pytest.mark.parametrize(("key", "text"), REFUSED.values(), ids=REFUSED)
def test_the_installer_refuses(key: str, text: str) -> None:
    assert refused(text) == key
    assert all(each.hint for each in found(text))


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_the_installer_accepts(text: str) -> None:
    assert refused(text) == ""


@pytest.mark.parametrize("text", [BIOS, DOS], ids=["gpt", "msdos with logical partitions"])
def test_what_bios_accepts_uefi_refuses(text: str) -> None:
    assert refused(text, "bios") == ""
    assert refused(text, "uefi")


def test_one_kind_of_firmware_that_refuses_is_named_in_a_warning() -> None:
    for text, name in ((UEFI, "BIOS"), (BIOS, "UEFI")):
        (only,) = found(text)
        assert only.level == "warning" and f"on {name} it is refused" in only.message


def test_where_all_kinds_of_firmware_refuse_each_is_named_in_an_error() -> None:
    each = found(DISK + REST + ROOT)
    assert [one.level for one in each] == ["error", "error"]
    assert "UEFI" in each[0].message and "BIOS" in each[1].message


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("[7].device", UEFI + "- {type: mount, id: m9, device: nosuch, path: /data}\n"),
        ("[4].devices", DISK + ESP + "- {type: raid, id: p1, name: md0, raidlevel: 1, devices: [p8, p9]}\n" + ROOT),
        ("[7].type", UEFI + "- {type: bcache, id: b0}\n"),
        ("[7].device", UEFI + "- {type: mount, id: m9, device: p1, path: /data}\n"),
        ("[4]", UEFI.replace(", size: -1", "")),
        ("[4].number", UEFI.replace("size: -1", "size: -1, number: '2'")),
        ("[7].path", UEFI + "- {type: mount, id: m9, device: f1, path: 5}\n"),
    ],
)
def test_what_the_installer_passes_over_or_stops_at_later_is_a_warning(key: str, text: str) -> None:
    (only,) = found(text, "uefi")
    assert (only.level, only.key) == ("warning", f"storage.config{key}") and only.hint


@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("reset-partition", {"name": "direct", "reset-partition": "huge"}),
        ("reset-partition", {"name": "direct", "reset-partition": "12g"}),
        ("match", {"name": "lvm", "match": None}),
        ("match", {"name": "lvm", "match": []}),
        ("match[0]", {"name": "lvm", "match": ["x"]}),
        ("match.path", {"name": "lvm", "match": {"path": 5}}),
        ("recovery-key", {"name": "lvm", "password": "x", "recovery-key": "yes"}),
        ("recovery-key", {"name": "lvm", "password": "", "recovery-key": True}),
        ("recovery-key", {"name": "lvm", "recovery-key": {}}),
        ("recovery-key", {"name": "lvm", "password": "x", "recovery-key": {"live-location": 5}}),
        ("password", {"name": "zfs", "password": 5}),
        ("mode", {"name": [], "mode": "keep"}),
        ("ptable", {"name": "direct", "ptable": "mbr"}),
        ("name", {"name": "dd"}),
    ],
)
def test_a_layout_with_a_word_that_there_is_not_is_refused(key: str, layout: dict[str, Any]) -> None:
    (only,) = findings({"layout": layout}, "24.04", FIRMWARES)
    assert (only.level, only.key) == ("error", f"storage.layout.{key}") and only.hint


@pytest.mark.parametrize("value", [True, False, None, "", "12G", "12 G", 12, 0])
def test_a_reset_partition_is_yes_no_or_a_size(value: object) -> None:
    assert list(findings({"layout": {"name": "direct", "reset-partition": value}}, "24.04", FIRMWARES)) == []


@pytest.mark.parametrize(
    ("layout", "refusing"),
    [
        ({"name": "direct", "password": "x"}, ["26.04"]),
        ({"name": "direct", "ptable": "mbr"}, ["24.04", "26.04"]),
        ({"name": "direct", "mode": "use_gap", "match": "x"}, ["24.04", "26.04"]),
        ({"name": "direct", "match": "x"}, ["22.04", "24.04", "26.04"]),
    ],
)
def test_later_installers_look_at_more(layout: dict[str, Any], refusing: list[str]) -> None:
    assert [each for each in RELEASES if list(findings({"layout": layout}, each, FIRMWARES))] == refusing
