"""The VM disk without a build: what it is known by, its table, what firmware reads, and its boot sectors."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID

import pytest

from rigforge.images import disk, disk_boot, disk_in_namespace
from rigforge.images.disk_in_namespace import Identity
from rigforge.layers.plan import Layer, plan
from rigforge.lock.model import read
from rigforge.process import run
from rigforge.stack.load import load

EPOCH = 1_780_000_000
MIB = 1 << 20


@pytest.fixture(scope="module")
def layers() -> tuple[Layer, ...]:
    stack = load("smoke")
    return disk.on_disk(plan(stack, read(stack.lock_path)))


@pytest.fixture
def identity(layers: tuple[Layer, ...]) -> Identity:
    return disk.identity(layers, EPOCH)


def test_it_has_the_layers_of_an_installed_machine(layers: tuple[Layer, ...]) -> None:
    assert [layer.name for layer in layers] == ["base", "host"]


def test_the_same_disk_is_known_by_the_same_and_no_two_by_one(layers: tuple[Layer, ...]) -> None:
    first = disk.identity(layers, EPOCH)
    others = [disk.identity(layers, EPOCH + 1), disk.identity((*layers[:-1], replace(layers[-1], epoch=1)), EPOCH)]
    assert disk.identity(layers, EPOCH) == first
    values = [value for each in (first, *others) for value in asdict(each).values()]
    assert len(values) == len(set(values))


def test_what_makes_it_decides_whether_it_is_made_anew_and_not_what_it_is_known_by(
    layers: tuple[Layer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, makings = disk.identity(layers, EPOCH), {disk.making(layers)}
    sources = disk.sources_of_disks()
    for end in ("disk_boot.py", "first_start.py", "rigforge-first-start.service", "partition.py"):
        (file,) = [source for source in sources if source.name == end]
        monkeypatch.setattr(disk, "sha256", lambda path, file=file: "changed" if path == file else "same")
        makings.add(disk.making(layers))
        assert disk.identity(layers, EPOCH) == known
    assert len(makings) == 5


def test_the_table_is_the_installers_with_uuids_of_its_own(identity: Identity, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    places = disk_in_namespace.write_table(one, identity, 3 * disk_in_namespace.GIB)
    assert places == disk_in_namespace.write_table(two, identity, 3 * disk_in_namespace.GIB)
    assert list(places) == ["rigforge-bios", "rigforge-esp", "rigforge-root"]
    assert [start for start, _ in places.values()] == [MIB, 2 * MIB, 514 * MIB]
    assert places["rigforge-root"][1] >= 3 * disk_in_namespace.GIB
    assert one.stat().st_size == 4 * disk_in_namespace.GIB
    assert one.stat().st_blocks * 512 < MIB
    subprocess.run(["cmp", one, two], check=True)
    printed = run(["sfdisk", "--dump", one]).stdout.lower()
    assert all(str(UUID(getattr(identity, name))) in printed for name in ("table", "bios", "esp", "root"))


def test_what_firmware_reads_is_there_and_the_same_each_time(identity: Identity, tmp_path: Path) -> None:
    source = tmp_path / "BOOTX64.EFI"
    source.write_bytes(b"loader")
    places, disks = {}, (tmp_path / "one", tmp_path / "two")
    for file in disks:
        places = disk_in_namespace.write_table(file, identity, disk_in_namespace.GIB)
        files = {"EFI": tmp_path, "EFI/BOOT": tmp_path, "EFI/BOOT/BOOTX64.EFI": source}
        disk_in_namespace.write_esp(file, places["rigforge-esp"], files, identity.volume, EPOCH)
    subprocess.run(["cmp", *disks], check=True)
    image = f"{disks[0]}@@{places['rigforge-esp'][0]}"
    assert run(["mtype", "-i", image, "::EFI/BOOT/BOOTX64.EFI"]).stdout == "loader"
    run(["sfdisk", "--verify", disks[0]])


def test_the_boot_sector_leaves_the_partition_table_as_it_is() -> None:
    loader, present = bytes([1]) * 512, bytes([2]) * 512
    sector = disk_boot.boot_sector(loader, present, 2048)
    assert len(sector) == 512
    assert sector[disk_boot.PARTITIONS] == present[disk_boot.PARTITIONS]
    assert sector[disk_boot.PARAMETERS] == present[disk_boot.PARAMETERS]
    assert sector[0x5C:0x64] == (2048).to_bytes(8, "little")
    assert sector[-2:] == loader[-2:]


def test_the_core_image_says_where_its_rest_begins() -> None:
    image = disk_boot.core_image(bytes(2000), 2048)
    assert image[500:508] == (2049).to_bytes(8, "little")
    assert len(image) == 2000
    assert set(image[:500] + image[508:]) == {0}


def test_what_bios_starts_leaves_the_disks_table_whole(identity: Identity, tmp_path: Path) -> None:
    file, grub = tmp_path / "disk", tmp_path / "boot/grub/i386-pc"
    grub.mkdir(parents=True)
    (grub / "boot.img").write_bytes(bytes([7]) * 510 + b"\x55\xaa")
    (grub / "core.img").write_bytes(bytes([9]) * 100_000)
    places = disk_in_namespace.write_table(file, identity, disk_in_namespace.GIB)
    before = run(["sfdisk", "--dump", file]).stdout
    disk_boot.embed(file, places["rigforge-bios"], tmp_path)
    assert run(["sfdisk", "--dump", file]).stdout == before
    assert "corrupt" not in run(["sfdisk", "--verify", file]).stderr
    content = file.open("rb").read(2 * MIB)
    assert content[:3] == bytes([7]) * 3
    assert content[MIB + 600 : MIB + 100_000] == bytes([9]) * 99_400
    assert content[MIB + 100_000 :] == bytes(MIB - 100_000)


def test_a_core_image_that_is_too_large_is_no_disk(identity: Identity, tmp_path: Path) -> None:
    grub = tmp_path / "boot/grub/i386-pc"
    grub.mkdir(parents=True)
    for name in ("boot.img", "core.img"):
        (grub / name).write_bytes(bytes(MIB + 1))
    with pytest.raises(ValueError, match="its partition 1048576"):
        disk_boot.embed(tmp_path / "disk", (MIB, MIB), tmp_path)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--target=device", "/"], "/dev/sda3"),
        (["--device", "/dev/sda3", "--target=fs_uuid"], "the-uuid"),
        (["-t", "fs", "/boot/grub"], "ext2"),
        (["--device", "/dev/sda3", "--target=partmap"], "gpt"),
        (["--device", "/dev/sda3", "--target=abstraction"], ""),
        (["-t", "drive", "/"], "hd0,gpt3"),
    ],
)
def test_grub_is_told_of_the_disk_that_is_to_be(words: list[str], answer: str) -> None:
    script = disk_boot.PROBE.format(device="/dev/sda3", uuid="the-uuid")
    assert run(["sh", "-euc", script, "grub-probe", *words]).stdout.strip() == answer


def test_grub_is_told_nothing_else() -> None:
    script = disk_boot.PROBE.format(device="/dev/sda3", uuid="the-uuid")
    assert run(["sh", "-c", script, "grub-probe", "--target=hints_string"], check=False).returncode == 1
