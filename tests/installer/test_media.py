"""Which document the installer follows. The live system's programs are stood in for; the files are real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rigforge.installer.document import DocumentError
from rigforge.installer.media import cidata_volumes, find
from tests.installer.documents import document, read


class LiveSystem:
    """Block devices as lsblk lists them; a mounted one shows the files it was given."""

    def __init__(self, devices: list[dict[str, Any]], files: dict[str, bytes] | None = None) -> None:
        self.devices, self.files = devices, files or {}
        self.mounted: list[str] = []
        self.options: list[str] = []

    def run(self, argv: Sequence[str]) -> str:
        match [str(word) for word in argv]:
            case ["lsblk", "--json", *_]:
                return json.dumps({"blockdevices": self.devices})
            case ["mount", "--options", options, _, folder]:
                self.options = options.split(",")
                self.mounted.append(folder)
                for name, content in self.files.items():
                    Path(folder, name).write_bytes(content)
            case ["umount", folder]:
                self.mounted.remove(folder)
                for name in self.files:
                    Path(folder, name).unlink()
            case _:
                raise AssertionError(argv)
        return ""


DISK = {"name": "/dev/vda", "label": None, "fstype": None, "uuid": None}
STICK = {
    "name": "/dev/sdb",
    "label": None,
    "fstype": None,
    "uuid": None,
    "children": [{"name": "/dev/sdb1", "label": "CIDATA", "fstype": "vfat", "uuid": "5249-4721"}],
}


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    path = tmp_path / "autoinstall.yaml"
    path.write_text("version: 1 # the medium's own\n")
    return path


def test_without_a_stick_the_mediums_own_document_counts(medium: Path) -> None:
    system = LiveSystem([DISK])
    assert find(medium=medium, run=system.run) == ("version: 1 # the medium's own\n", str(medium))


def test_a_volume_labelled_cidata_comes_first(medium: Path) -> None:
    system = LiveSystem([DISK, STICK], {"user-data": b"\xef\xbb\xbf#cloud-config\nautoinstall: {version: 1}\n"})
    text, where = find(medium=medium, run=system.run)
    assert text == "#cloud-config\nautoinstall: {version: 1}\n"
    assert "/dev/sdb1" in where and "CIDATA" in where


def test_the_volume_is_mounted_read_only_and_only_for_the_reading(medium: Path) -> None:
    system = LiveSystem([STICK], {"user-data": b"version: 1\n"})
    find(medium=medium, run=system.run)
    assert {"ro", "nosuid", "nodev", "noexec"} == set(system.options)
    assert system.mounted == []


def test_a_volume_without_user_data_is_passed_over(medium: Path) -> None:
    system = LiveSystem([STICK], {"meta-data": b""})
    assert find(medium=medium, run=system.run)[1] == str(medium)


def test_what_is_no_document_is_not_replaced_by_another_one(medium: Path) -> None:
    system = LiveSystem([STICK], {"user-data": b"#cloud-config\npackage_update: true\n"})
    text, where = find(medium=medium, run=system.run)
    with pytest.raises(DocumentError):
        read(text)
    assert where != str(medium)


def test_unreadable_text_is_an_error_and_leaves_nothing_mounted(medium: Path) -> None:
    system = LiveSystem([STICK], {"user-data": b"version: \xff"})
    with pytest.raises(DocumentError, match="not UTF-8 at byte 9"):
        find(medium=medium, run=system.run)
    assert system.mounted == []


def test_network_config_beside_it_counts_where_the_document_has_no_network(medium: Path) -> None:
    network = b"version: 2\nethernets: {eno1: {dhcp4: true}}\n"
    bare, wrapped = document(), yaml.safe_dump({"autoinstall": yaml.safe_load(document())})
    for text in (bare, wrapped):
        system = LiveSystem([STICK], {"user-data": text.encode(), "network-config": network})
        assert read(find(medium=medium, run=system.run)[0]).network == yaml.safe_load(network)

    own = document(network={"version": 2, "ethernets": {"eth7": {"dhcp4": True}}})
    system = LiveSystem([STICK], {"user-data": own.encode(), "network-config": network})
    assert "eth7" in read(find(medium=medium, run=system.run)[0]).network["ethernets"]


def test_two_such_volumes_are_an_error(medium: Path) -> None:
    second = {"name": "/dev/sr1", "label": "cidata", "fstype": "iso9660", "uuid": "2026-01-01"}
    with pytest.raises(DocumentError, match="more than one") as caught:
        find(medium=medium, run=LiveSystem([STICK, second]).run)
    assert "/dev/sdb1" in caught.value.message and "/dev/sr1" in caught.value.message


def test_an_iso_on_a_stick_is_one_volume() -> None:
    part = {"name": "/dev/sdc1", "label": "cidata", "fstype": "iso9660", "uuid": "2026-01-01"}
    assert cidata_volumes(LiveSystem([{**part, "name": "/dev/sdc", "children": [part]}]).run) == ["/dev/sdc"]


def test_another_file_system_with_that_label_is_an_error() -> None:
    ext4 = {"name": "/dev/sdb1", "label": "CIDATA", "fstype": "ext4", "uuid": "1"}
    with pytest.raises(DocumentError, match="ext4"):
        cidata_volumes(LiveSystem([ext4]).run)


def test_no_document_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no document"):
        find(medium=tmp_path / "autoinstall.yaml", run=LiveSystem([DISK]).run)
