"""Typing the passphrase of an encrypted test machine."""

from __future__ import annotations

import socket
from pathlib import Path

from rigforge.verify.passphrase import PROMPT, typed


def test_each_prompt_is_answered_once(tmp_path: Path) -> None:
    log, line = tmp_path / "serial.log", tmp_path / "serial"
    with socket.socket(socket.AF_UNIX) as machine:
        machine.bind(str(line))
        machine.listen()
        machine.settimeout(10)
        with typed("correct horse", log, line):
            for _ in range(2):
                with log.open("ab") as console:
                    console.write(PROMPT + b" rigforge-crypt: ")
                keyboard, _ = machine.accept()
                with keyboard:
                    assert keyboard.makefile("rb").read() == b"correct horse\n"


def test_without_a_passphrase_nothing_is_typed(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.write_bytes(PROMPT)
    with typed("", log, tmp_path / "serial"):
        pass
