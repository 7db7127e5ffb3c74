"""What is on a medium, and the ISO that holds it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from rigforge.images import iso
from rigforge.images.medium import Medium, lay_out, target_disk
from rigforge.layers.build import Squashfs
from rigforge.stack.load import load

EPOCH = 1_700_000_000


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    """Stand-ins for the boot files, with the sizes that El Torito and MBR need."""
    folder = tmp_path / "boot"
    folder.mkdir()
    for name in ("vmlinuz", "initrd.img", "memtest.bin", "memtest.efi"):
        (folder / name).write_text(name)
    (folder / "bios.img").write_bytes(b"\0" * 30_000)
    (folder / "boot_hybrid.img").write_bytes(b"\0" * 512)
    (folder / "efi.img").write_bytes(b"\0" * 65_536)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> tuple[Squashfs, ...]:
    made = []
    for layer in ("base", "host", "medium"):
        file = tmp_path / f"{layer}.squashfs"
        file.write_text(layer)
        made.append(Squashfs(layer, file, hashlib.sha256(layer.encode()).hexdigest(), 4096))
    return tuple(made)


@pytest.fixture
def medium(boot: Path, images: tuple[Squashfs, ...]) -> Medium:
    return lay_out(load("smoke"), "6.1.0-56-amd64", images, boot, "version: 1\n", EPOCH)


def test_every_file_but_the_list_itself_is_in_the_list_of_digests(medium: Medium) -> None:
    listed = [line.split()[1] for line in medium.texts["SHA256SUMS"].splitlines()]
    assert sorted(listed) == sorted(({*medium.large, *medium.texts}) - {"SHA256SUMS"})


def test_the_live_systems_own_layer_is_not_installed(medium: Medium) -> None:
    description = json.loads(medium.texts["rigforge/medium.json"])
    assert description["layers"] == ["base.squashfs", "host.squashfs"]
    assert description["rootfs_bytes"] == 8192
    assert medium.texts["live/filesystem.module"].split()[-1] == "medium.squashfs"


def test_the_chosen_cards_are_on_the_medium_and_make_another_one_of_it(
    medium: Medium, images: tuple[Squashfs, ...], boot: Path
) -> None:
    def with_cards(*cards: str) -> Medium:
        stack = load("smoke", sets=[f"machine.gpus={json.dumps(cards)}"] if cards else [])
        return lay_out(stack, "6.1.0-56-amd64", images, boot, "version: 1\n", EPOCH)

    assert "gpus" not in json.loads(medium.texts["rigforge/medium.json"])
    assert with_cards() == medium
    two = with_cards("GeForce RTX 5090", "GeForce RTX 5090")
    assert json.loads(two.texts["rigforge/medium.json"])["gpus"] == ["GeForce RTX 5090", "GeForce RTX 5090"]
    assert two == with_cards("GeForce RTX 5090", "GeForce RTX 5090")
    assert len({medium.id, two.id, with_cards("GeForce RTX 5080", "GeForce RTX 5080").id}) == 3


def test_another_document_is_another_medium(medium: Medium, images: tuple[Squashfs, ...], boot: Path) -> None:
    assert lay_out(load("smoke"), "6.1.0-56-amd64", images, boot, "version: 1 \n", EPOCH).id != medium.id


@pytest.mark.parametrize("name", ["bios.img", "boot_hybrid.img", "efi.img"])
def test_another_boot_image_is_another_medium_and_layout(
    medium: Medium, images: tuple[Squashfs, ...], boot: Path, name: str
) -> None:
    (boot / name).write_bytes(b"\1" * (boot / name).stat().st_size)
    other = lay_out(load("smoke"), "6.1.0-56-amd64", images, boot, "version: 1\n", EPOCH)
    assert other.id != medium.id
    assert other.layout != medium.layout


def test_another_menu_is_another_medium(
    medium: Medium, images: tuple[Squashfs, ...], boot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigforge.images.medium.target_disk", lambda stack: "another disk")
    assert lay_out(load("smoke"), "6.1.0-56-amd64", images, boot, "version: 1\n", EPOCH).id != medium.id


def test_the_menu_counts_down_and_knows_what_it_installed(medium: Medium) -> None:
    menu = medium.texts["boot/grub/grub.cfg"]
    assert "set timeout=5\n" in menu
    assert f"--set=installed /EFI/rigforge/{medium.id}\n" in menu
    for entry in ("install", "live", "check", "memtest", "disk"):
        assert f"--id {entry} {{" in menu


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([], "the only disk"),
        (["disk=/dev/nvme0n1"], "the disk with path /dev/nvme0n1"),
        (['storage.match=[{size="largest", ssd=true}]'], "the disk with size largest ssd True"),
    ],
)
def test_the_menu_names_the_disk_that_is_erased(settings: list[str], words: str) -> None:
    assert target_disk(load("smoke", sets=settings)) == words


def test_the_iso_boots_by_bios_and_uefi_and_has_every_file(medium: Medium, boot: Path, tmp_path: Path) -> None:
    output = tmp_path / "out/test.iso"
    iso.write(medium, boot, "RIGFORGE_TEST", EPOCH, output)
    report = xorriso(output, "-report_el_torito", "plain")
    assert "El Torito boot img :   1  BIOS" in report
    assert "El Torito boot img :   2  UEFI" in report
    assert "Volume id    : 'RIGFORGE_TEST'" in report
    files = set(xorriso(output, "-find", "/", "-type", "f", "-exec", "echo").replace("'", "").split())
    assert {f"/{place}" for place in (*medium.large, *medium.texts)} <= files
    assert [path.name for path in output.parent.iterdir()] == ["test.iso"]


def test_the_same_medium_is_the_same_bytes_at_another_time(medium: Medium, boot: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.iso", tmp_path / "second.iso"
    iso.write(medium, boot, "RIGFORGE_TEST", EPOCH, first)
    time.sleep(1.1)
    for file in medium.large.values():
        file.touch()
    iso.write(medium, boot, "RIGFORGE_TEST", EPOCH, second)
    assert first.read_bytes() == second.read_bytes()


def test_new_words_in_an_iso_give_what_writing_it_anew_gives(
    medium: Medium, images: tuple[Squashfs, ...], boot: Path, tmp_path: Path
) -> None:
    other = lay_out(load("smoke"), "6.1.0-56-amd64", images, boot, "version: 1\nlocale: C.UTF-8\n", EPOCH)
    assert other.layout == medium.layout
    changed, anew = tmp_path / "changed.iso", tmp_path / "anew.iso"
    iso.write(medium, boot, "RIGFORGE_TEST", EPOCH, changed)
    iso.rewrite(changed, other)
    iso.write(other, boot, "RIGFORGE_TEST", EPOCH, anew)
    assert changed.read_bytes() == anew.read_bytes()


def test_a_text_that_outgrows_its_place_is_another_layout(
    medium: Medium, images: tuple[Squashfs, ...], boot: Path
) -> None:
    other = lay_out(load("smoke"), "6.1.0-56-amd64", images, boot, "version: 1\n" + "#" * 20_000, EPOCH)
    assert other.layout != medium.layout


def xorriso(image: Path, *arguments: str) -> str:
    """Returns what xorriso says about an image."""
    command = ["xorriso", "-indev", str(image), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout + result.stderr
