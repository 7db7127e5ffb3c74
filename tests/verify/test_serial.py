"""Reading a serial console while a machine writes it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rigforge.verify import serial


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("\x1b[0;1;32m  OK  \x1b[0m Reached target\r", "  OK   Reached target"),
        ("Loading 10%\rLoading 100%\r", "Loading 100%"),
        ("rigforge: [2/9] checking the medium\r", "rigforge: [2/9] checking the medium"),
    ],
)
def test_terminal_sequences_are_left_out(line: str, text: str) -> None:
    assert serial.plain(line) == text


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("rigforge: [2/9] checking the medium", "[2/9] checking the medium"),
        ("[   12.345678] rigforge: ERASING /dev/vda", "ERASING /dev/vda"),
        ("[  OK  ] Started rigforge-install.service", None),
        ("systemd[1]: rigforge: something", None),
    ],
)
def test_stage_lines_are_the_installers_own(line: str, stage: str | None) -> None:
    assert serial.stage(line) == stage


def test_a_new_stage_is_told_from_what_else_the_installer_says() -> None:
    assert serial.begins("[5/9] copying the system")
    assert not serial.begins("[5/9] copying the system 120/900 MB")
    assert not serial.begins("[5/9] copying the system: 41.0 s")
    assert not serial.begins("ERASING /dev/vda, 12 GB")


@pytest.mark.parametrize(
    "line",
    [
        "rigforge: FAILED: there is no disk to install to:",
        "[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs",
        "error: you need to load the kernel first.",
        "grub rescue>",
        "(initramfs) ",
        "ALERT!  UUID=6b2c does not exist.  Dropping to a shell!",
    ],
)
def test_after_a_fatal_line_there_is_nothing_to_wait_for(line: str) -> None:
    assert serial.fatal(line)


@pytest.mark.parametrize("line", ["rigforge: [1/9] reading the autoinstall document", "error: no suitable video mode"])
def test_other_lines_are_not_fatal(line: str) -> None:
    assert not serial.fatal(line)


def test_lines_are_heard_as_they_come_even_before_the_file_exists(tmp_path: Path) -> None:
    log, heard = tmp_path / "serial.log", []
    with serial.follow(log, heard.append, interval=0.01), log.open("wb", buffering=0) as console:
        console.write(b"one\r\ntw")
        end = time.monotonic() + 5
        while not heard and time.monotonic() < end:
            time.sleep(0.01)
        assert heard == ["one"]
        console.write(b"o\r\nlogin: ")
    assert heard == ["one", "two", "login:"]


def test_a_prompt_after_which_nothing_comes_is_heard_although_its_line_does_not_end(tmp_path: Path) -> None:
    log, heard = tmp_path / "serial.log", []
    log.write_bytes(b"Dropping\r\n(initramfs) ")
    with serial.follow(log, heard.append, interval=0.01):
        end = time.monotonic() + 5
        while len(heard) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert heard == ["Dropping", "(initramfs)"]
    assert len(heard) == 2


def test_tail_is_the_last_lines_that_say_something(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.write_text("one\r\n\r\ntwo\r\nthree\r\n\r\n")
    assert serial.tail(log, 2) == "two\nthree"
    assert serial.tail(tmp_path / "none") == ""
