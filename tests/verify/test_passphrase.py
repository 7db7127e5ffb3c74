"""Typing the passphrase of an encrypted test machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from rigforge.verify.passphrase import OPEN, PROMPT, typed

TYPED = b"correct horse\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "serial.log"


@pytest.fixture
def says(log: Path) -> Callable[[bytes], None]:
    def say(text: bytes) -> None:
        with log.open("ab") as console:
            console.write(text)

    return say


@pytest.fixture
def keyboard(tmp_path: Path, log: Path, says: Callable[[bytes], None]) -> Iterator[BinaryIO]:
    """What is typed on the serial line of a machine that asks, and takes a fraction of a second to open its disk."""
    with socket.socket(socket.AF_UNIX) as machine:
        machine.bind(str(tmp_path / "serial"))
        machine.listen()
        machine.settimeout(10)
        with typed("correct horse", log, tmp_path / "serial", patience=2):
            says(PROMPT + b" rigforge-crypt: ")
            line, _ = machine.accept()
            line.settimeout(10)
            with line, line.makefile("rb") as typing:
                yield typing


def test_each_prompt_is_answered(keyboard: BinaryIO, says: Callable[[bytes], None]) -> None:
    assert keyboard.readline() == TYPED
    says(b"\ncryptsetup: rigforge-crypt: cryptsetup failed, bad password\n" + PROMPT + b" rigforge-crypt: ")
    assert keyboard.readline() == TYPED


def test_a_prompt_that_still_stands_is_answered_again(keyboard: BinaryIO, says: Callable[[bytes], None]) -> None:
    assert keyboard.readline() == TYPED
    says(b"[   20.1] usb 1-1: new device\n")
    assert keyboard.readline() == TYPED


def test_once_the_disk_is_open_nothing_more_is_typed(log: Path, tmp_path: Path) -> None:
    log.write_bytes(PROMPT + b" rigforge-crypt: ***\ncryptsetup: rigforge-crypt" + OPEN + b"\n")
    with socket.socket(socket.AF_UNIX) as machine:
        machine.bind(str(tmp_path / "serial"))
        machine.listen()
        machine.settimeout(10)
        with typed("correct horse", log, tmp_path / "serial", patience=1):
            line, _ = machine.accept()
            with line, line.makefile("rb") as typing:
                assert typing.readline() == TYPED
                line.settimeout(3)
                with pytest.raises(TimeoutError):
                    typing.readline()


def test_what_the_machine_says_on_the_line_does_not_hold_it_up(log: Path, tmp_path: Path) -> None:
    log.write_bytes(PROMPT)
    with socket.socket(socket.AF_UNIX) as machine:
        machine.bind(str(tmp_path / "serial"))
        machine.listen()
        machine.settimeout(10)
        with typed("correct horse", log, tmp_path / "serial"):
            line, _ = machine.accept()
            line.settimeout(10)
            with line:
                line.sendall(bytes(4 << 20))


def test_without_a_passphrase_nothing_is_typed(log: Path, tmp_path: Path) -> None:
    log.write_bytes(PROMPT)
    with typed("", log, tmp_path / "serial"):
        pass
