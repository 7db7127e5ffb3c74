"""The kernel's log as machines really have it: wrapped, of the boot before, in files, for root only, huge, no text."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.doctor.kernel_log import LONGEST, read
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml
from tests.doctor import machines
from tests.doctor.machines import Examine, program, write

START = "Linux version 6.1.0"
FALLEN = "NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus."
PAGE_FAULT = "NVRM: Xid (PCI:0000:01:00): 31, pid=7, MMU Fault"

#: A journal whose boots say different things.
JOURNAL = """case "$*" in
    *--boot=-1*) {before};;
    *--boot=-*) exit 1;;
    *) {now};;
esac"""


def told(root: Path) -> list[tuple[int, tuple[str, ...]]]:
    return [(log.ago, log.lines) for log in read(Machine(Nvml(), root, f"{root}/bin"), ("Xid (",))]


def journal(root: Path, now: str = "true", before: str = "exit 1") -> None:
    program(root, "journalctl", JOURNAL.format(now=now, before=before))


def test_a_ring_buffer_that_has_the_start_of_the_kernel_is_enough(root: Path) -> None:
    program(root, "dmesg", f"echo '[    0.0] {START}'; echo '[  101.5] {FALLEN}'")
    journal(root, now=f"echo '{PAGE_FAULT}'")
    assert told(root) == [(0, (FALLEN,))]


def test_where_it_has_wrapped_the_journal_has_what_was_before(root: Path) -> None:
    program(root, "dmesg", f"echo '[9101.5] {FALLEN}'")
    journal(root, now=f"echo '{START}'; echo '{PAGE_FAULT}'; echo '{FALLEN}'")
    assert told(root) == [(0, (PAGE_FAULT, FALLEN)), (0, (FALLEN,))]


def test_what_ring_buffer_and_journal_both_have_counts_once(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    answers = healthy(1)
    program(root, "dmesg", f"echo '[9101.5] {FALLEN}'")
    journal(root, now=f"echo '{START}'; echo '{FALLEN}'")
    assert "Xid 79 ×1" in examine(answers)["checks"]["gpu-xid"]["measured"]


def test_a_wrapped_buffer_without_a_journal_is_known_as_such(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    answers = healthy(1)
    program(root, "dmesg", "echo '[9101.5] usb 1-1: new device'")
    found = examine(answers)["checks"]["gpu-xid"]
    assert (found["status"], "it has wrapped" in found["measured"]) == ("ok", True)


def test_the_journal_of_who_may_read_it_does_for_a_ring_buffer_that_is_for_root(root: Path) -> None:
    program(root, "dmesg", "echo 'Operation not permitted' >&2; exit 1")
    assert told(root) == []
    journal(root, now=f"echo '{FALLEN}'")
    assert told(root) == [(0, (FALLEN,))]
    journal(root, now="echo '-- No entries --'")
    assert told(root) == []


def test_the_boot_before_is_said_to_be_it(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    answers = healthy(1)
    journal(root, before=f"echo '{START}'; echo '{FALLEN}'; echo '{PAGE_FAULT}'")
    found = examine(answers)["checks"]["gpu-xid"]
    assert found["status"] == "warning"
    assert found["measured"].startswith("0000:01:00: in the boot before: Xid 79 ×1, the GPU has fallen off the bus")
    assert "reboot" not in found["fix"]


def test_a_program_that_failed_in_the_boot_before_is_nothing_to_speak_of(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    answers = healthy(1)
    journal(root, before=f"echo '{PAGE_FAULT}'")
    assert examine(answers)["checks"]["gpu-xid"]["status"] == "ok"


def test_without_a_journal_the_files_of_syslog_have_the_boots_one_after_the_other(root: Path) -> None:
    program(root, "dmesg", f"echo '{START}'")
    rotated = gzip.compress(f"Nov 1 host kernel: {START}\nNov 1 host kernel: {PAGE_FAULT}\n".encode())
    write(root / "var/log/kern.log.2.gz", "")
    (root / "var/log/kern.log.2.gz").write_bytes(rotated)
    write(root / "var/log/kern.log.1", f"Nov 2 host kernel: {START}\nNov 2 host kernel: {FALLEN}\n")
    write(root / "var/log/kern.log", f"Nov 3 host kernel: {START}\n")
    assert told(root) == [(0, ()), (1, (f"Nov 2 host kernel: {FALLEN}",)), (2, (f"Nov 1 host kernel: {PAGE_FAULT}",))]


@pytest.mark.parametrize("rubbish", [os.urandom(1 << 20), b"\0" * (1 << 20), b"NVRM: nothing new\n" * (1 << 16)])
def test_a_log_of_200_mb_is_read_in_less_than_5_s(root: Path, tmp_path: Path, rubbish: bytes) -> None:
    """What is said at its begin and at its end is found; what is in the midst of rubbish, where there is time."""
    lines = (PAGE_FAULT, FALLEN, "NVRM: Xid (PCI:0000:01:00): 48, DBE")
    (tmp_path / "rubbish").write_bytes(rubbish + b"\n")
    much = f"/bin/cat{f' {tmp_path}/rubbish' * (100 << 20 >> 20)}"
    program(root, "dmesg", f"echo '{START}\n{lines[0]}'; {much}; echo '{lines[1]}'; {much}; echo '{lines[2]}'")
    start = time.monotonic()
    ((_, found),) = told(root)
    assert time.monotonic() - start < 5
    assert (found[0], found[-1]) == (lines[0], lines[-1])


def test_a_line_is_cut_and_rubbish_before_it_is_left_out(root: Path) -> None:
    program(root, "dmesg", f"echo '{START}'; printf '\\377\\0%05000d{FALLEN}%05000d\\n' 1 1")
    ((_, (line,)),) = told(root)
    assert len(line) == LONGEST and FALLEN in line


def test_a_log_that_hangs_keeps_nobody_waiting(root: Path) -> None:
    program(root, "dmesg", f"echo '{FALLEN}'; /bin/sleep 60")
    start = time.monotonic()
    assert told(root) == [(0, (FALLEN,))]
    assert time.monotonic() - start < 5


def test_burn_in_and_machine_have_their_eyes_on_this_boot_only(root: Path) -> None:
    machines.machine(root, 1)
    journal(root, before=f"echo '{FALLEN}'")
    assert read(Machine(Nvml(), root, f"{root}/bin"), ("Xid (",), before=0)[0].lines == ()
