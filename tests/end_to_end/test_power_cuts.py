"""Installations that are cut short or get bad disks: what is there afterwards starts, or says what is wrong.

About five minutes a cut without KVM, most of it the second installation.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.chain import Medium, make
from tests.end_to_end.guest import DISK_GIB, FAILED, INSTALLED, Guest, Rig

pytestmark = [pytest.mark.boot, pytest.mark.full]

#: Each stage that writes to the disk, and how many seconds after its begin the power goes.
STAGES = {
    "[4/10] partitioning": 1.5,
    "[5/10] copying the system": 20.0,
    "[6/10] comparing the copy": 3.0,
    "[7/10] installing the boot loader": 25.0,
    "[8/10] running late-commands": 0.0,
    "[9/10] writing what is still in memory": 0.1,
    "[10/10] marking the disk as installed": 0.1,
}

#: Seconds after the disk is chosen, at which the power goes too: anywhere in an installation of four minutes.
_MOMENTS = random.Random(21)
ANYWHERE = tuple(round(_MOMENTS.uniform(0, 200)) for _ in range(3))

#: How long the installation's own words may take (seconds).
PATIENCE = 1500

#: Where the disk has bad blocks (bytes): one in each 16 MiB, for nobody knows which of them ext4 will use.
BAD = range(600 << 20, 2600 << 20, 16 << 20)

#: A disk that says it has 12 GiB and has 2, as forged ones do: what is written beyond begins again at its start.
FORGED = f"""\
SIZE, REAL = {DISK_GIB} << 30, 2 << 30
content = bytearray(REAL)
def open(readonly): return 1
def get_size(handle): return SIZE
def pread(handle, count, offset):
    return (content + content)[offset % REAL : offset % REAL + count] if offset % REAL + count > REAL else \\
        content[offset % REAL : offset % REAL + count]
def pwrite(handle, buffer, offset):
    for start in range(0, len(buffer), 4096):
        piece = buffer[start : start + 4096]
        place = (offset + start) % REAL
        content[place : place + len(piece)] = piece
"""


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    return make("smoke", tmp_path_factory.mktemp("smoke"))


@pytest.fixture(scope="module")
def ready(medium: Medium, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A machine, with its state saved on its disk as `ready`: the installer is about to write."""
    rig = Rig(medium.stack, medium.iso, tmp_path_factory.mktemp("ready"))
    with rig.on() as guest:
        guest.said("[2/10] checking the medium: ")
        guest.ask("stop")
        said = guest.ask("human-monitor-command", **{"command-line": "savevm ready"})
        assert said == "", said
    return rig


@pytest.fixture
def rig(medium: Medium, ready: Rig, tmp_path: Path) -> Rig:
    made = Rig(medium.stack, medium.iso, tmp_path)
    made.with_disk_of(ready)
    return made


def ends_installed(rig: Rig) -> None:
    """Switches the machine on, with the medium left in, until its own system answers."""
    with rig.on() as guest:
        guest.answers(rig.port, PATIENCE)


@pytest.mark.parametrize("stage", STAGES)
def test_a_machine_that_lost_its_power_installs_itself_again(stage: str, rig: Rig) -> None:
    with rig.on(state="ready") as guest:
        guest.said(stage)
        time.sleep(STAGES[stage])
        guest.cut()
    ends_installed(rig)


@pytest.mark.parametrize("seconds", ANYWHERE)
def test_so_it_does_wherever_that_was(seconds: float, rig: Rig) -> None:
    with rig.on(state="ready") as guest:
        guest.said("[3/10] choosing the disk: ")
        time.sleep(seconds)
        guest.cut()
    ends_installed(rig)


def complaint(guest: Guest) -> str:
    """What the installer says is wrong."""
    said = guest.said(FAILED, INSTALLED, seconds=PATIENCE)
    assert INSTALLED not in said
    return said.partition(FAILED)[2]


def test_a_flipped_bit_on_the_medium_is_found_before_the_disk_is_touched(medium: Medium, tmp_path: Path) -> None:
    iso = tmp_path / "flipped.iso"
    iso.write_bytes(medium.iso.read_bytes())
    with iso.open("r+b") as file:
        file.seek(iso.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x10]))
    rig = Rig(medium.stack, iso, tmp_path / "rig")
    with rig.on() as guest:
        assert complaint(guest) == "the medium is damaged:"
        guest.said(".squashfs")
    used = subprocess.run(["qemu-img", "map", "--output=json", rig.files.disk], capture_output=True, check=True)
    assert b'"data": true' not in used.stdout


def test_a_bad_block_of_the_disk_is_named_as_what_is_wrong(medium: Medium, tmp_path: Path) -> None:
    rig = Rig(medium.stack, medium.iso, tmp_path)
    bad = {"event": "none", "iotype": "write", "errno": "5", "once": "off"}
    image = {"driver": "qcow2", "file.driver": "file", "file.filename": str(rig.files.disk)}
    drive = ["if=none", "id=target", "driver=blkdebug", *(f"image.{key}={value}" for key, value in image.items())]
    for number, place in enumerate(BAD):
        rule = {**bad, "sector": str(place // 512)}
        drive += [f"inject-error.{number}.{key}={value}" for key, value in rule.items()]
    with rig.on(drive=",".join(drive)) as guest:
        assert complaint(guest) == "the disk did not take all that was written to it"


def test_a_disk_that_vanishes_is_named_as_what_is_wrong(medium: Medium, tmp_path: Path) -> None:
    rig = Rig(medium.stack, medium.iso, tmp_path)
    device = "scsi-hd,bus=scsi.0,id=gone,drive=target,serial=rigforge-target,bootindex=0"
    with rig.on(bus="virtio-scsi-pci,id=scsi", device=device) as guest:
        guest.said("[5/10] copying the system 1")
        guest.ask("device_del", id="gone")
        assert complaint(guest)


@pytest.fixture
def forged(tmp_path: Path) -> Iterator[str]:
    """The address of a disk that is smaller than it says."""
    plugin, address = tmp_path / "forged.py", tmp_path / "forged"
    plugin.write_text(FORGED)
    with subprocess.Popen(["nbdkit", "--foreground", "--unix", address, "python", plugin]) as server:
        while not address.exists():
            time.sleep(0.1)
        yield f"if=none,id=target,format=raw,file=nbd+unix:///?socket={address}"
        server.terminate()


def test_a_disk_that_is_smaller_than_it_says_is_found_out(medium: Medium, forged: str, tmp_path: Path) -> None:
    with Rig(medium.stack, medium.iso, tmp_path / "rig").on(drive=forged) as guest:
        assert complaint(guest)
