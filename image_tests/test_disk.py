"""How the disk was laid out, and what is left of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine")

# UEFI specification, table 5-7, and GRUB's manual, "BIOS installation".
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649"

GIB = 1 << 30

Node = dict[str, Any]


@pytest.fixture(scope="module")
def to_root(host: Host) -> list[Node]:
    """The block devices from the disk to the root file system."""
    columns = "NAME,TYPE,FSTYPE,PARTTYPE,PTTYPE,MOUNTPOINT,SIZE"
    disks = json.loads(host.check_output(f"lsblk --json --bytes --output {columns}"))["blockdevices"]
    paths = [path for disk in disks for path in _paths([disk]) if path[-1]["mountpoint"] == "/"]
    assert len(paths) == 1, f"the root file system is not on exactly one disk: {disks}"
    return paths[0]


def _paths(path: list[Node]) -> Iterator[list[Node]]:
    yield path
    for child in path[-1].get("children", []):
        yield from _paths([*path, child])


@pytest.mark.needs("rigforge")
def test_disk_has_a_gpt_with_partitions_for_both_firmwares(to_root: list[Node]) -> None:
    disk = to_root[0]
    assert disk["pttype"] == "gpt"
    partitions = {child["parttype"]: child for child in disk["children"]}
    assert BIOS_BOOT in partitions
    assert partitions[ESP]["fstype"] == "vfat"
    assert partitions[ESP]["mountpoint"] == "/boot/efi"


def test_root_is_ext4_on_the_layout_asked_for(to_root: list[Node], expected: Expectations) -> None:
    between = {"direct": ["disk", "part"], "lvm": ["disk", "part", "lvm"], "luks": ["disk", "part", "crypt", "lvm"]}
    assert [node["type"] for node in to_root] == between[expected.layout]
    assert to_root[-1]["fstype"] == "ext4"


def test_root_fills_the_disk(host: Host, to_root: list[Node], expected: Expectations) -> None:
    size = int(host.check_output("df --output=size -B1 / | tail -1"))
    # The ESP, and /boot beside LUKS; Canonical's take up to 1 and 2 GiB (subiquity/common/filesystem/sizes.py).
    others = 3 * GIB if (expected.installer, expected.layout) == ("subiquity", "luks") else 2 * GIB
    # ext4 keeps about 2 % for itself.
    assert size > 0.97 * to_root[0]["size"] - others


def test_there_is_room_to_work(host: Host) -> None:
    assert int(host.check_output("df --output=avail -B1 / | tail -1")) > GIB


def test_file_systems_are_mounted_by_uuid(host: Host, expected: Expectations) -> None:
    lines = host.check_output("grep -v '^ *#' /etc/fstab").splitlines()
    mounted = {line.split()[1]: line.split()[0] for line in lines if line.strip()}
    assert "/" in mounted
    assert "/boot/efi" in mounted or (expected.firmware, expected.installer) == ("bios", "subiquity")
    assert not [source for source in mounted.values() if source.startswith(("/dev/sd", "/dev/vd", "/dev/nvme"))]
