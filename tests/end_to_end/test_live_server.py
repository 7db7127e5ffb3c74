"""A stand-in for Canonical's medium, remastered and started under each firmware (1 minute each without KVM).

Shim, GRUB and kernel are Debian's, signed; what comes after the kernel is `stand_in_init`. Canonical's own medium
starts `casper` there, and its installer.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from chain import make as make_medium

from rigforge.artifacts.iso import FIRMWARES, Firmware
from rigforge.images import live_server, remaster
from rigforge.layers.build import Squashfs
from rigforge.records.checksums import sha256
from rigforge.stack.load import load
from rigforge.verify.firmware import flash
from rigforge.verify.qemu import accelerator, cpu
from tests.images.live_server_medium import make

pytestmark = pytest.mark.boot

LOCK = hashlib.sha256(b"the lock of this test").hexdigest()
EPOCH = 1_780_000_000

#: GRUB's menu takes Ctrl-N for the arrow key.
DOWN, ENTER = b"\x0e", b"\r"


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boot loaders and kernel of the small stack's medium, and its initramfs with our own first program."""
    medium = make_medium("smoke", tmp_path_factory.mktemp("smoke"))
    folder = tmp_path_factory.mktemp("boot")
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", medium.iso, "-extract_boot_images", folder], check=True)
    command = ["xorriso", "-osirrox", "on", "-indev", medium.iso]
    for place in ("live/vmlinuz", "live/initrd.img", "boot/bios.img"):
        command += ["-extract", f"/{place}", str(folder / Path(place).name)]
    subprocess.run(command, check=True)
    (folder / "eltorito_img2_uefi.img").rename(folder / "efi.img")
    (folder / "boot_hybrid.img").write_bytes(medium.iso.read_bytes()[:512])
    initramfs = folder / "initrd.img"
    initramfs.chmod(0o644)
    whole = initramfs.read_bytes()
    init = Path(__file__).with_name("stand_in_init").read_bytes()
    # The kernel unpacks one archive after the other (Documentation/driver-api/early-userspace/buffer-format.rst).
    initramfs.write_bytes(whole + bytes(-len(whole) % 512) + member("init", init) + member("TRAILER!!!", b""))
    return folder


def member(name: str, content: bytes) -> bytes:
    """Returns a program as a member of a cpio archive ("newc")."""
    fields = [1, 0o100755, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return b"".join(part + bytes(-len(part) % 4) for part in (head, content))


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Squashfs]:
    """Three layers of a machine and one of the live session; each names itself as the top, one removes a file."""
    folder, made = tmp_path_factory.mktemp("layers"), []
    for layer in ("base", "cuda", "host", "medium"):
        etc = folder / layer / "etc"
        etc.mkdir(parents=True)
        (etc / "top").write_text(f"{layer}\n")
        if layer == "base":
            (etc / "removed").write_text("")
            (etc / "lock").write_text(f"{LOCK}\n")
        image = folder / f"{layer}.squashfs"
        removed = ["-p", "etc/removed c 644 0 0 0 0"] if layer == "cuda" else []
        subprocess.run(["mksquashfs", folder / layer, image, "-quiet", "-no-progress", *removed], check=True)
        made.append(Squashfs(layer, image, sha256(image), 4096))
    return made


@pytest.fixture(scope="module")
def image(boot: Path, layers: Sequence[Squashfs], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remastered")
    stock = make(folder, boot)
    server = live_server.read(stock, sha256(stock))
    medium = live_server.lay_out(load("ubuntu-24.04"), server, layers, boot, "version: 1\n", "6.8.0-88-generic", EPOCH)
    remaster.write(stock, medium, "RIGFORGE", EPOCH, folder / "rigforge.iso")
    return folder / "rigforge.iso"


@contextmanager
def machine(image: Path, firmware: Firmware, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts the medium, a DVD for BIOS and a stick for UEFI; its serial line is on standard input and output."""
    smm = ",smm=on" if firmware == "secureboot" else ""
    fastest = accelerator()
    command = ["qemu-system-x86_64", "-machine", f"q35{smm}", "-accel", fastest, "-cpu", cpu(fastest), "-m", "1024"]
    command += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]
    command += ["-drive", f"if=none,id=medium,format=raw,readonly=on,file={image}"]
    if firmware == "bios":
        command += ["-device", "ide-cd,drive=medium"]
    else:
        chips = flash(firmware == "secureboot", folder / "variables.fd")
        command += ["-device", "qemu-xhci", "-device", "usb-storage,drive=medium,removable=on"]
        command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={chips.code}"]
        command += ["-drive", f"if=pflash,unit=1,format=raw,file={chips.variables}"]
        if smm:
            command += ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def told(image: Path, firmware: Firmware, folder: Path, keys: bytes) -> str:
    """Returns what the machine says on its serial line until it ends, after `keys` were pressed in the menu."""
    said = b""
    with machine(image, firmware, folder) as process:
        assert process.stdin and process.stdout
        while chunk := os.read(process.stdout.fileno(), 4096):
            said += chunk
            if keys and b"Boot from disk" in said:
                process.stdin.write(keys)
                process.stdin.flush()
                keys = b""
    return "\n".join(line.strip() for line in said.decode(errors="replace").splitlines() if "stand-in: " in line)


# Secure Boot's shim and GRUB are what UEFI without it starts too.
@pytest.mark.parametrize(
    "firmware", [pytest.param(name, marks=[pytest.mark.full] if name == "uefi" else []) for name in FIRMWARES]
)
def test_the_unattended_entry_starts_and_finds_all_layers(image: Path, firmware: Firmware, tmp_path: Path) -> None:
    text = told(image, firmware, tmp_path, ENTER)
    assert "started with BOOT_IMAGE=/casper/vmlinuz autoinstall " in text
    assert 'medium is Ubuntu-Server 24.04 LTS "Stand-in"' in text
    assert "document says version: 1" in text
    files = len(live_server.read(image, "").md5sums)
    assert f"{files} of {files} files are whole" in text
    assert f"top is host, lock is {LOCK}" in text
    assert "what a layer removed is gone" in text
    assert ("Secure boot enabled" in text) == (firmware == "secureboot")


@pytest.mark.full
def test_the_second_entry_asks_first_and_the_third_starts_the_live_session(image: Path, tmp_path: Path) -> None:
    assert "autoinstall" not in told(image, "bios", tmp_path, DOWN + ENTER).partition("\n")[0]
    live = told(image, "bios", tmp_path, 2 * DOWN + ENTER)
    assert "started with BOOT_IMAGE=/casper/rigforge/vmlinuz boot=casper layerfs-path=rigforge.cuda.host.medium" in live
    assert f"top is medium, lock is {LOCK}" in live
