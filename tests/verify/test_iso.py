"""Verifying an ISO: what is refused before anything is booted, and what is said when the machine does not come up."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.process import CommandFailed
from rigforge.stack.load import load
from rigforge.verify.iso import disk_bytes, memory, patience, read_medium, verify_iso
from rigforge.verify.report import ImageTestsError, Report

GIB = 1 << 30

MEDIUM: dict[str, object] = {"id": "c0ffee", "stack": "smoke", "layers": ["base.squashfs"], "rootfs_bytes": 5}
LOCK = Lock("smoke", "", 0, {"kernel": "6.1.0-56-amd64"}, (), ())

FAILED = '<testsuite tests="2" time="1.5"><testcase classname="t" name="a"/>{}</testsuite>'


def an_iso(folder: Path, medium: dict[str, object] | None) -> Path:
    tree = folder / "tree"
    (tree / "rigforge").mkdir(parents=True)
    if medium is not None:
        (tree / "rigforge" / "medium.json").write_text(json.dumps(medium))
    iso = folder / "medium.iso"
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", iso, tree], check=True)
    return iso


def test_a_medium_says_what_it_is(tmp_path: Path) -> None:
    medium = {"id": "c0ffee", "stack": "smoke", "layers": ["base.squashfs"], "rootfs_bytes": 5}
    assert read_medium(an_iso(tmp_path, medium)) == medium


def test_another_iso_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="is not an install medium of Rigforge"):
        read_medium(an_iso(tmp_path, None))


def test_a_missing_iso_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match=r"no such ISO: .*none\.iso") as caught:
        read_medium(tmp_path / "none.iso")
    assert "invoke build-iso" in caught.value.hint


def test_the_medium_of_another_stack_is_refused(tmp_path: Path) -> None:
    iso = an_iso(tmp_path, {"id": "c0ffee", "stack": "debian-12", "layers": [], "rootfs_bytes": 5})
    with pytest.raises(RigforgeError, match="was made from the stack debian-12, not from smoke"):
        verify_iso(iso, load("smoke"), Lock("smoke", "", 0, {}, (), ()), "bios", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_disk_has_room_for_the_system_and_for_work() -> None:
    assert disk_bytes(1 * GIB) == 12 * GIB
    assert disk_bytes(16 * GIB) == 26 * GIB
    assert disk_bytes(16 * GIB + 1) == 27 * GIB


@pytest.fixture
def a_packer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a Packer into PATH whose `build`, in the folder of the run's files, is a few lines of shell."""

    def install(build: str) -> None:
        program = tmp_path / "bin" / "packer"
        program.parent.mkdir()
        cases = f'version) echo "Packer v1.6.6" ;; validate) ;; build) cd "$3/.." && {{ {build}; }} ;;'
        program.write_text(f'#!/bin/sh\ncase "$1" in {cases} esac\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return install


def verified(folder: Path) -> Report:
    return verify_iso(an_iso(folder, MEDIUM), load("smoke"), LOCK, "bios", folder / "out", timeout_minutes=7)


def test_a_machine_that_does_not_answer_is_shown_by_its_last_words(
    tmp_path: Path, a_packer: Callable[[str], None]
) -> None:
    a_packer("echo 'Starting VM'; echo 'Timeout waiting for SSH.'; echo 'the last words' >serial.log; exit 1")
    with pytest.raises(RigforgeError, match="did not answer over SSH within 7 minutes") as caught:
        verified(tmp_path)
    assert "the last words" in caught.value.message
    assert "serial.log" in caught.value.hint


def test_the_installers_own_error_is_the_message(tmp_path: Path, a_packer: Callable[[str], None]) -> None:
    a_packer("echo 'rigforge: FAILED: there is no disk to install to' >serial.log; sleep 0.5; exit 1")
    with pytest.raises(RigforgeError, match="could not be tested: rigforge: FAILED: there is no disk to install to"):
        verified(tmp_path)


def test_the_logs_that_the_installer_left_on_the_seed_come_home(
    tmp_path: Path, a_packer: Callable[[str], None]
) -> None:
    put = "echo why >rigforge-logs.tar.gz; mcopy -i cidata.img rigforge-logs.tar.gz ::; rm rigforge-logs.tar.gz"
    a_packer(f"{put}; echo 'rigforge: FAILED: FAIL: installing grub' >serial.log; sleep 0.5; exit 1")
    with pytest.raises(RigforgeError, match="FAIL: installing grub") as caught:
        verified(tmp_path)
    logs = tmp_path / "out/rigforge-logs.tar.gz"
    assert logs.read_text() == "why\n"
    assert str(logs) in caught.value.hint


def test_what_packer_itself_trips_over_is_shown(tmp_path: Path, a_packer: Callable[[str], None]) -> None:
    a_packer("echo 'Failed creating Qemu driver: exec: qemu-img: not found'; exit 1")
    with pytest.raises(RigforgeError, match="qemu-img: not found"):
        verified(tmp_path)


def test_failed_tests_are_an_error_with_a_report(tmp_path: Path, a_packer: Callable[[str], None]) -> None:
    case = '<testcase classname="t" name="b"><failure message="not so"/></testcase>'
    results = f"<testsuites>{FAILED.format(case)}</testsuites>"
    a_packer(f"echo 'Starting VM'; echo 'Connected to SSH!'; echo '{results}' >tests.xml; exit 1")
    with pytest.raises(ImageTestsError, match="t::b: not so") as caught:
        verified(tmp_path)
    assert (caught.value.report.passed, caught.value.report.failed) == (1, 1)


def test_passed_tests_do_not_hide_that_packer_failed(tmp_path: Path, a_packer: Callable[[str], None]) -> None:
    results = f"<testsuites>{FAILED.format('')}</testsuites>"
    a_packer(f"echo 'Connected to SSH!'; echo '{results}' >tests.xml; echo 'Timeout on shutdown'; exit 1")
    with pytest.raises(CommandFailed, match="Timeout on shutdown"):
        verified(tmp_path)


def test_a_good_machine_is_reported_and_kept(tmp_path: Path, a_packer: Callable[[str], None]) -> None:
    results = f"<testsuites>{FAILED.format('')}</testsuites>"
    a_packer(f"echo 'Connected to SSH!'; echo '{results}' >tests.xml; mkdir disk; echo disk >disk/machine.qcow2")
    report = verified(tmp_path)
    assert (report.passed, report.failed, report.seconds_of_tests) == (2, 0, 1.5)
    assert report.disk is not None
    assert report.disk.read_text() == "disk\n"
    assert report.private_key.stat().st_mode & 0o077 == 0


def test_nothing_of_an_earlier_run_is_taken_for_this_ones(tmp_path: Path, a_packer: Callable[[str], None]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "tests.xml").write_text(f"<testsuites>{FAILED.format('')}</testsuites>")
    (out / "serial.log").write_text("rigforge: FAILED: long ago\n")
    (out / "packer.log").write_text("Connected to SSH!\n")
    a_packer("echo 'Failed creating Qemu driver'; exit 1")
    with pytest.raises(RigforgeError, match="Failed creating Qemu driver"):
        verified(tmp_path)


def test_a_larger_or_encrypted_system_gets_more_time_and_a_larger_one_more_memory() -> None:
    small, large = 1 << 30, 10 << 30
    assert patience(small) < patience(small, encrypted=True) < patience(large, encrypted=True)
    assert memory(small) < memory(large)
