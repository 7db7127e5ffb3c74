"""Canonical's medium with our layers: what is added, what stays, and that the result is the same every time."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from rigforge.autoinstall import ubuntu
from rigforge.errors import RigforgeError
from rigforge.images import iso, live_server, remaster
from rigforge.images.medium import Medium
from rigforge.layers.build import Squashfs
from rigforge.process import CommandFailed
from rigforge.records.checksums import sha256
from rigforge.stack.load import load
from tests.images.live_server_medium import TIME, boot_files, make

LAYERS = ("base", "cuda", "python", "host", "medium")
EPOCH = 1_780_000_000
DOCUMENT = "version: 1\n"

Remaster = Callable[..., tuple[Path, Medium]]


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boot_files(tmp_path_factory.mktemp("boot"))


@pytest.fixture(scope="module")
def stock(boot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("stock"), boot)


@pytest.fixture
def images(tmp_path: Path) -> list[Squashfs]:
    made = []
    for layer in LAYERS:
        file = tmp_path / f"{layer}-of-this-test.squashfs"
        file.write_text(layer * 1000)
        made.append(Squashfs(layer, file, sha256(file), 4096))
    return made


@pytest.fixture
def remastered(boot: Path, images: list[Squashfs], tmp_path: Path) -> Remaster:
    def one(stock: Path, name: str = "rig.iso", document: str = DOCUMENT) -> tuple[Path, Medium]:
        server = live_server.read(stock, sha256(stock))
        stack = load("ubuntu-24.04")
        medium = live_server.lay_out(stack, server, images, boot, document, "6.8.0-88-generic", EPOCH)
        remaster.write(stock, medium, "RIGFORGE", EPOCH, tmp_path / name)
        return tmp_path / name, medium

    return one


def tree(image: Path, folder: Path) -> dict[str, bytes]:
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", image, "-extract", "/", folder], check=True, stderr=-3)
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def boot_images(image: Path, folder: Path) -> dict[str, bytes]:
    """What firmware reads before any file: code of MBR, El Torito's images, partitions."""
    folder.mkdir()
    command = ["xorriso", "-osirrox", "on", "-indev", image, "-extract_boot_images", folder]
    subprocess.run(command, check=True, stderr=-3, stdout=-3)
    found = {file.name: file.read_bytes() for file in folder.iterdir()}
    # The place on the medium of the image for BIOS, which is written into it and into the MBR, may change.
    bios = bytearray(found["eltorito_img1_bios.img"])
    bios[8:64] = bytes(56)
    bios[2548:2556] = bytes(8)
    mbr = bytearray(image.read_bytes()[:440])
    mbr[432:440] = bytes(8)
    return {"bios": bytes(bios), "mbr": bytes(mbr), "efi": found["eltorito_img2_uefi.img"]}


def test_what_canonical_put_there_stays_as_it_is(stock: Path, remastered: Remaster, tmp_path: Path) -> None:
    image, medium = remastered(stock)
    before, after = tree(stock, tmp_path / "before"), tree(image, tmp_path / "after")
    changed = {place for place in before if before[place] != after.get(place)}
    assert changed - {"boot/grub/i386-pc/eltorito.img"} == {
        "boot/grub/grub.cfg",
        "boot.catalog",
        "casper/install-sources.yaml",
        "md5sum.txt",
    }
    assert after.keys() - before.keys() == {*medium.large, *medium.texts} - before.keys()


def test_the_boot_set_up_is_kept_byte_for_byte(stock: Path, remastered: Remaster, tmp_path: Path) -> None:
    image, _ = remastered(stock)
    assert boot_images(image, tmp_path / "after") == boot_images(stock, tmp_path / "before")
    report = subprocess.run(
        ["xorriso", "-indev", image, "-report_system_area", "plain"], capture_output=True, text=True
    )
    assert "GPT" in report.stdout and "grub2-mbr" in report.stdout
    assert "cyl-align-off" in report.stdout


def test_layers_are_named_as_casper_and_the_installer_stack_them(stock: Path, remastered: Remaster) -> None:
    _, medium = remastered(stock)
    names = sorted((place for place in medium.large if place.endswith(".squashfs")), key=len)
    assert names[0] == "casper/rigforge.squashfs"
    assert names[-1] == "casper/rigforge.cuda.python.host.medium.squashfs"
    for lower, upper in pairwise(names):
        assert upper.startswith(lower.removesuffix("squashfs"))


def test_every_file_is_in_md5sum_txt_in_the_order_of_the_c_locale(
    stock: Path, remastered: Remaster, tmp_path: Path
) -> None:
    image, _ = remastered(stock)
    files = tree(image, tmp_path / "after")
    lines = files["md5sum.txt"].decode().splitlines()
    assert {line[36:]: line[:32] for line in lines} == {
        place: hashlib.md5(content).hexdigest()
        for place, content in files.items()
        if place not in ("md5sum.txt", "boot.catalog", "boot/grub/i386-pc/eltorito.img")
    }
    places = [line[34:].encode() for line in lines]
    assert places == sorted(places)


@pytest.mark.parametrize("release", ["22.04", "24.04", "26.04"])
def test_the_layers_are_one_more_source_and_the_default(
    release: str, boot: Path, remastered: Remaster, tmp_path: Path
) -> None:
    stock = make(tmp_path, boot, release)
    _, medium = remastered(stock)
    whole = yaml.safe_load(medium.texts["casper/install-sources.yaml"])
    assert isinstance(whole, dict) == (release == "26.04")
    sources = whole["sources"] if isinstance(whole, dict) else whole
    assert [(source["id"], source["default"]) for source in sources] == [
        ("rigforge", True),
        ("ubuntu-server", False),
        ("minimal", False),
    ]
    ours = sources[0]
    assert (ours["type"], ours["path"]) == ("fsimage-layered", "rigforge.cuda.python.host.squashfs")
    assert ours["size"] == 4 * 4096
    if release == "26.04":
        assert whole["kernel"] == {"default": "linux-generic"}


def test_one_file_for_the_whole_machine_is_a_source_of_its_own_type(
    stock: Path, remastered: Remaster, images: list[Squashfs]
) -> None:
    images[:] = [replace(images[0], layer="base+cuda+host"), images[-1]]
    _, medium = remastered(stock)
    ours = yaml.safe_load(medium.texts["casper/install-sources.yaml"])[0]
    assert (ours["type"], ours["path"]) == ("fsimage", "rigforge.squashfs")
    assert "casper/rigforge.medium.squashfs" in medium.large
    described = json.loads(medium.texts["rigforge/medium.json"])
    assert described["layers"] == ["base.squashfs", "cuda.squashfs", "host.squashfs"]


def test_the_document_leaves_the_mark_that_the_menu_looks_for(
    stock: Path, remastered: Remaster, tmp_path: Path
) -> None:
    _, medium = remastered(stock)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2yTkv1Pbd0SHS0iWBn3GIiRXT8YmYBWkSrzMNv4hXK me"
    document = ubuntu.render(load("ubuntu-24.04", sets=[f"ssh_key={key}"]), "linux-image-6.8.0-88-generic", "24.04")
    (mark, *_) = yaml.safe_load(document)["late-commands"]
    for place, text in medium.texts.items():
        file = tmp_path / "cdrom" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    here = mark.replace("/cdrom", f"{tmp_path}/cdrom").replace("/target", f"{tmp_path}/target")
    subprocess.run(["sh", "-c", here], check=True)
    assert [file.name for file in (tmp_path / "target/boot/rigforge").iterdir()] == [medium.id]
    assert f"/boot/rigforge/{medium.id}\n" in medium.texts["boot/grub/grub.cfg"]
    assert json.loads(medium.texts["rigforge/medium.json"])["id"] == medium.id


def test_the_same_input_gives_the_same_bytes_at_another_time(stock: Path, remastered: Remaster) -> None:
    first, _ = remastered(stock, "first.iso")
    time.sleep(2)
    second, _ = remastered(stock, "second.iso")
    assert first.read_bytes() == second.read_bytes()


def test_the_checksum_is_found_while_it_is_written(stock: Path, remastered: Remaster, tmp_path: Path) -> None:
    image, medium = remastered(stock)
    assert remaster.write(stock, medium, "RIGFORGE", EPOCH, tmp_path / "again.iso") == sha256(image)


def test_another_document_is_written_into_the_iso_that_is_there(stock: Path, remastered: Remaster) -> None:
    image, medium = remastered(stock)
    fresh, other = remastered(stock, "other.iso", DOCUMENT + "timezone: Europe/Berlin\n")
    assert (other.layout, other.id == medium.id) == (medium.layout, False)
    iso.rewrite(image, other)
    assert image.read_bytes() == fresh.read_bytes()


def test_added_files_belong_to_root_and_have_the_time_of_the_lock(
    stock: Path, remastered: Remaster, images: list[Squashfs]
) -> None:
    images[0].path.chmod(0o600)
    image, _ = remastered(stock)
    command = ["xorriso", "-indev", image, "-find", "/", "-exec", "lsdl", "--"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin"})
    lines = {
        line.rpartition("'")[0].rpartition("'")[2]: line.split() for line in listing.stdout.splitlines() if "'" in line
    }
    assert lines["/casper/rigforge.squashfs"][0] == "-r--r--r--"
    assert lines["/casper/rigforge.squashfs"][2:4] == ["0", "0"]
    assert lines["/casper/rigforge.squashfs"][5:8] == time.strftime("%b %d %Y", time.gmtime(EPOCH)).split()[:2] + [
        lines["/casper/rigforge.squashfs"][7]
    ]
    assert lines["/pool/main/h/hello/hello_1_amd64.deb"][5:7] == time.strftime("%b %d", time.gmtime(TIME)).split()


def test_a_file_above_4_gib_is_whole(stock: Path, remastered: Remaster, images: list[Squashfs]) -> None:
    """ISO 9660 keeps a length in 32 bits: a longer file is in parts, with other bytes on each side of the seam."""
    large, seam = images[1].path, random.Random(1).randbytes(1 << 16)
    with large.open("wb") as file:
        file.seek((4 << 30) - len(seam) // 2)
        file.write(seam)
    # Known, as reading the holes would take longer than all else.
    large.with_suffix(".md5").write_text("0" * 32)
    image, _ = remastered(stock)
    try:
        (first, length), (second, rest) = iso.extents(image)["casper/rigforge.cuda.squashfs"]
        assert length + rest == large.stat().st_size
        with image.open("rb") as file:
            file.seek(first + length - (len(seam) - rest))
            before = file.read(len(seam) - rest)
            file.seek(second)
            assert before + file.read(rest) == seam
    finally:
        image.unlink()


def test_what_is_no_live_server_iso_is_told(boot: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.iso"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("x")
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", other, tmp_path / "tree"], check=True, stderr=-3)
    with pytest.raises(RigforgeError, match=r"has no \.disk/info: it is not a live-server ISO"):
        live_server.read(other, "")


def test_nothing_is_left_of_an_iso_that_could_not_be_finished(
    stock: Path, remastered: Remaster, images: list[Squashfs], tmp_path: Path
) -> None:
    _, medium = remastered(stock)
    images[1].path.unlink()
    with pytest.raises(CommandFailed, match="cuda-of-this-test"):
        remaster.write(stock, medium, "RIGFORGE", EPOCH, tmp_path / "half.iso")
    assert not list(tmp_path.glob("*half*"))
