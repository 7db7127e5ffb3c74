"""Types the passphrase of an encrypted disk on the serial line of the machine that asks for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What cryptsetup's initramfs says, without the end of a line (Debian's and Ubuntu's cryptsetup-initramfs).
PROMPT = b"Please unlock disk"

#: How often the log is looked at (seconds).
_INTERVAL = 0.5


@contextmanager
def typed(passphrase: str, serial_log: Path, serial_socket: Path) -> Iterator[None]:
    """Answers each prompt in `serial_log` on `serial_socket` while the context lasts; nothing where there is none."""
    done = threading.Event()
    thread = threading.Thread(target=_answer, args=(passphrase, serial_log, serial_socket, done), daemon=True)
    if passphrase:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if passphrase:
            thread.join()


def _answer(passphrase: str, serial_log: Path, serial_socket: Path, done: threading.Event) -> None:
    answered = 0
    while not done.wait(_INTERVAL):
        asked = serial_log.read_bytes().count(PROMPT) if serial_log.exists() else 0
        if asked > answered:
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(serial_socket))
                line.sendall(f"{passphrase}\n".encode())
            answered = asked
