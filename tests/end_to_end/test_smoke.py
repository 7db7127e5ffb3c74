"""The small stack, for real: built, installed, tested over SSH (8 minutes for each firmware without KVM)."""

from __future__ import annotations

import filecmp
import mmap
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from rigforge.paths import home
from tests.end_to_end.chain import Figure, Medium, make, rigforge

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    return make("smoke", tmp_path_factory.mktemp("smoke"))


@pytest.mark.parametrize("firmware", ["uefi", pytest.param("bios", marks=pytest.mark.full)])
def test_it_installs_itself_and_the_machine_passes_its_tests(
    medium: Medium, firmware: str, record_property: Figure
) -> None:
    report = medium.verify(firmware)
    record_property("image tests passed", report["passed"])
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_a_second_build_needs_no_network_and_gives_the_same_bytes(medium: Medium) -> None:
    again = medium.iso.parent / "again"
    printed = rigforge("build-iso", "--stack", medium.stack, *medium.site, "--offline", "--out", again)
    assert printed == f"iso: {again / medium.iso.name}\n"
    assert filecmp.cmp(again / medium.iso.name, medium.iso, shallow=False)


def test_a_disks_passphrase_is_on_the_iso_alone(medium: Medium, tmp_path: Path) -> None:
    planted = b"planted-correct-horse-battery"
    file, out = tmp_path / "passphrase", tmp_path / "out"
    file.write_bytes(planted)
    secret = ("--set", "storage.layout=luks", "--set", f"storage.passphrase=@{file}")
    with command_lines() as seen:
        rigforge("build-iso", "--stack", medium.stack, *medium.site, *secret, "--offline", "--out", out)
    rigforge("report", "--stack", medium.stack, *medium.site, *secret, "--out", out)
    assert any(b"build-iso" in line for line in seen)
    assert not [line for line in seen if planted in line]
    folders = [out, *(home() / name for name in ("lock", "logs", "bugs"))]
    files = [path for folder in folders for path in (folder.rglob("*") if folder.is_dir() else [folder])]
    holders = [path for path in files if path.is_file() and holds(path, planted)]
    assert holders == [out / medium.iso.name]
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600


@contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """Yields what others see of this machine's processes (ps), filled until the block ends."""
    seen: set[bytes] = set()
    ended = Event()

    def look() -> None:
        while not ended.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes())
                except OSError:
                    continue  # it has ended

    watch = Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        ended.set()
        watch.join()


def holds(file: Path, text: bytes) -> bool:
    if not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0
