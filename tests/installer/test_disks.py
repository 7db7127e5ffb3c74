"""Which disk is installed to, of the machines that people have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rigforge.installer.disks import Disk, choose, needed_bytes, parse
from rigforge.installer.errors import InstallError
from rigforge.rules.disk_match import DiskMatch
from rigforge.rules.sizes import of_disk

GB = 10**9
NEEDED = 20 * GB

NVME = Disk("/dev/nvme0n1", 2000 * GB, model="Samsung SSD 990 PRO 2TB", serial="S6Z2NJ0W1", ssd=True)
SATA_SSD = Disk("/dev/sda", 500 * GB, model="CT500MX500SSD1", serial="2117E59", ssd=True)
HARD_DISK = Disk("/dev/sdb", 8000 * GB, model="WDC_WD80EFZX-68UW8N0", serial="VK0ABC")
STICK = Disk("/dev/sdc", 64 * GB, model="Ultra Fit", serial="4C530", removable=True)
MEDIUM = replace(STICK, path="/dev/sdd", serial="4C531", mounted=("/run/live/medium",))


def chosen(disks: list[Disk], *rules: DiskMatch) -> str:
    return choose(disks, rules, NEEDED).path


def refused(disks: list[Disk], *rules: DiskMatch) -> str:
    with pytest.raises(InstallError) as caught:
        choose(disks, rules, NEEDED)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ([DiskMatch(ssd=False)], "/dev/sdb"),
        ([DiskMatch(size="largest")], "/dev/sdb"),
        ([DiskMatch(size="smallest")], "/dev/sda"),
        ([DiskMatch(ssd=True, size="largest")], "/dev/nvme0n1"),
        ([DiskMatch(serial="2117E59")], "/dev/sda"),
        ([DiskMatch(serial="S6Z*")], "/dev/nvme0n1"),
        ([DiskMatch(model="Samsung*")], "/dev/nvme0n1"),
        ([DiskMatch(model="WDC WD80*")], "/dev/sdb"),
        ([DiskMatch(model="Samsung_SSD_990*")], "/dev/nvme0n1"),
        ([DiskMatch(path="/dev/nvme*")], "/dev/nvme0n1"),
        ([DiskMatch(path="/dev/sda", ssd=True)], "/dev/sda"),
        ([DiskMatch(serial="not here"), DiskMatch(ssd=False)], "/dev/sdb"),
        ([DiskMatch(size="smallest"), DiskMatch(ssd=False)], "/dev/sda"),
    ],
)
def test_the_first_rule_that_a_disk_meets_decides(rules: list[DiskMatch], path: str) -> None:
    assert chosen([NVME, SATA_SSD, HARD_DISK, STICK, MEDIUM], *rules) == path


def test_without_a_rule_the_only_disk_is_taken() -> None:
    assert chosen([NVME, STICK, MEDIUM]) == "/dev/nvme0n1"


def test_two_disks_that_fit_are_refused_with_the_line_that_names_each() -> None:
    message = refused([NVME, SATA_SSD])
    assert 'match: {serial: "S6Z2NJ0W1"}' in message
    assert 'match: {serial: "2117E59"}' in message
    assert "2.0 TB" in message and "Samsung SSD 990 PRO 2TB" in message


def test_the_line_names_the_path_where_the_serial_is_missing_or_not_unique() -> None:
    twin, nameless = replace(NVME, path="/dev/nvme1n1"), Disk("/dev/vda", 40 * GB)
    message = refused([NVME, twin, nameless])
    for path in ("/dev/nvme0n1", "/dev/nvme1n1", "/dev/vda"):
        assert f'match: {{path: "{path}"}}' in message
    assert "serial:" not in message


def test_the_line_that_is_offered_chooses_that_disk() -> None:
    disks = [NVME, SATA_SSD]
    assert chosen(disks, DiskMatch(serial="2117E59")) == SATA_SSD.path


def test_size_breaks_no_tie() -> None:
    twin = replace(HARD_DISK, path="/dev/sde", serial="VK0ABD")
    message = refused([NVME, HARD_DISK, twin], DiskMatch(size="largest"))
    assert "VK0ABC" in message and "VK0ABD" in message and "S6Z2NJ0W1" not in message


def test_an_ambiguous_rule_is_not_passed_over_for_a_later_one() -> None:
    assert "2 disks fit" in refused([NVME, SATA_SSD, HARD_DISK], DiskMatch(ssd=True), DiskMatch(ssd=False))


def test_size_looks_only_at_disks_that_can_be_used() -> None:
    small = replace(SATA_SSD, size=NEEDED - 1)
    assert chosen([small, NVME, HARD_DISK, STICK], DiskMatch(size="smallest")) == NVME.path


@pytest.mark.parametrize("rule", [DiskMatch(), DiskMatch(path=MEDIUM.path), DiskMatch(serial=MEDIUM.serial)])
def test_the_medium_is_never_chosen_not_even_by_name(rule: DiskMatch) -> None:
    assert "is the install medium" in refused([MEDIUM], rule)


@pytest.mark.parametrize(
    ("disk", "reason"),
    [
        (replace(NVME, labels=frozenset({"cidata"})), "holds the autoinstall document"),
        (replace(NVME, mounted=("/mnt", "[SWAP]")), "is in use at /mnt, [SWAP]"),
        (replace(NVME, read_only=True), "cannot be written"),
        (replace(NVME, path="/dev/sr0", kind="rom"), "cannot be written"),
        (replace(NVME, path="/dev/zram0"), "is not a disk"),
        (replace(NVME, path="/dev/fd0"), "is not a disk"),
        (replace(NVME, size=NEEDED - 1), "is too small: 20 GB are needed"),
    ],
)
def test_what_cannot_be_installed_to_is_not_chosen_even_by_name(disk: Disk, reason: str) -> None:
    assert reason in refused([disk], DiskMatch(path=disk.path))


@pytest.mark.parametrize(
    ("disk", "reason"),
    [
        (STICK, "is removable"),
        (replace(NVME, filesystems=frozenset({"iso9660"})), "holds an install medium"),
        (replace(NVME, path="/dev/loop7", kind="loop"), "is not a disk"),
    ],
)
def test_some_disks_are_chosen_only_by_name(disk: Disk, reason: str) -> None:
    assert reason in refused([disk])
    assert reason in refused([disk], DiskMatch(path="/dev/*"))
    assert reason in refused([disk], DiskMatch(serial="?" * len(disk.serial)))
    assert chosen([disk], DiskMatch(path=disk.path)) == disk.path
    assert chosen([disk], DiskMatch(serial=disk.serial)) == disk.path


def test_a_disk_just_large_enough_is_taken() -> None:
    assert chosen([replace(NVME, size=NEEDED)]) == NVME.path


def test_a_disk_is_found_by_its_lasting_name() -> None:
    link = "/dev/disk/by-id/ata-CT500MX500SSD1_2117E59"
    assert chosen([NVME, replace(SATA_SSD, links=(link,))], DiskMatch(path=link)) == SATA_SSD.path


def test_where_no_disk_is_left_each_is_listed_with_the_reason() -> None:
    message = refused([NVME, STICK, MEDIUM], DiskMatch(serial="4C530", ssd=True), DiskMatch(path="/dev/sd*"))
    assert "/dev/nvme0n1, 2.0 TB, Samsung SSD 990 PRO 2TB, serial S6Z2NJ0W1: is not one that storage" in message
    assert "/dev/sdc, 64 GB, Ultra Fit, serial 4C530: is removable" in message
    assert "/dev/sdd, 64 GB, Ultra Fit, serial 4C531: is the install medium" in message


def test_a_machine_without_disks_is_told_so() -> None:
    assert "the machine shows no disk at all" in refused([])


def test_a_system_needs_its_size_and_room_to_live() -> None:
    assert needed_bytes(10 * GB) == 13 * GB + 2**30


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 MB"), (512 * 10**6, "512 MB"), (8 * GB, "8000 MB"), (64 * GB, "64 GB"), (2000398934016, "2.0 TB")],
)
def test_sizes_are_shown_as_disk_makers_write_them(size: int, text: str) -> None:
    assert of_disk(size) == text


def device(path: str, **columns: Any) -> dict[str, Any]:
    """Returns a row as lsblk of util-linux 2.38 writes it."""
    empty = {"tran": None, "model": None, "serial": None, "label": None, "fstype": None, "mountpoints": [None]}
    fixed = {"name": path.removeprefix("/dev/"), "path": path, "type": "disk", "size": 64 * GB}
    return {**fixed, "ro": False, "rm": False, "rota": False, **empty, **columns}


def test_lsblk_is_read_with_all_that_is_on_a_disk() -> None:
    logical = device("/dev/mapper/old-root", type="lvm", fstype="ext4", label="data", mountpoints=["/mnt"])
    part = device("/dev/sda2", type="part", fstype="LVM2_member", children=[logical])
    row = device("/dev/sda", model="CT500 ", serial="2117E59", rota=True, fstype="iso9660", children=[part])
    link = "/dev/disk/by-id/ata-CT500_2117E59"
    assert parse({"blockdevices": [row]}, {"/dev/sda": [link]}) == (
        Disk(
            "/dev/sda",
            64 * GB,
            model="CT500",
            serial="2117E59",
            links=(link,),
            labels=frozenset({"data"}),
            filesystems=frozenset({"iso9660", "LVM2_member", "ext4"}),
            mounted=("/mnt",),
        ),
    )


def test_a_usb_disk_counts_as_removable() -> None:
    rows = [device("/dev/sda", rm=True), device("/dev/sdb", tran="usb"), device("/dev/nvme0n1", tran="nvme")]
    assert [disk.removable for disk in parse({"blockdevices": rows}, {})] == [True, True, False]


def test_the_medium_is_known_by_where_its_partition_is_mounted() -> None:
    part = device("/dev/sdd1", type="part", fstype="iso9660", mountpoints=["/run/live/medium"])
    [disk] = parse({"blockdevices": [device("/dev/sdd", children=[part])]}, {})
    assert "is the install medium" in refused([disk], DiskMatch(path="/dev/sdd"))


def test_a_disk_with_the_image_file_that_was_started_is_the_medium() -> None:
    """With findiso= the medium is a loop device, and the disk that holds the file is mounted elsewhere."""
    part = device("/dev/sdd1", type="part", fstype="ext4", mountpoints=["/run/live/findiso"])
    loop = device("/dev/loop0", type="loop", fstype="iso9660", mountpoints=["/run/live/medium"])
    disks = list(parse({"blockdevices": [device("/dev/sdd", children=[part]), loop]}, {}))
    assert refused(disks, DiskMatch(path="/dev/sdd")).count("is the install medium") == 1
    assert refused(disks).count("is the install medium") == 2
