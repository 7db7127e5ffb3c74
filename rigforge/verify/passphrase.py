"""Types the passphrase of an encrypted disk on the serial line of the machine that asks for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What cryptsetup's initramfs says, without the end of a line, and once the disk is open (Debian's and Ubuntu's
#: cryptsetup-initramfs).
PROMPT = b"Please unlock disk"
OPEN = b": set up successfully"

#: How often the log is looked at (seconds).
_INTERVAL = 0.5
#: How long a disk may take to open (seconds): the passphrase is hashed for that long, under emulation.
_HASHING = 60.0


@contextmanager
def typed(passphrase: str, serial_log: Path, serial_socket: Path, patience: float = _HASHING) -> Iterator[None]:
    """Answers each prompt in `serial_log` on `serial_socket` while the context lasts; nothing where there is none.

    A prompt that still stands after `patience` (seconds) is answered again: who asks throws away what was typed
    before he listens.
    """
    done = threading.Event()
    thread = threading.Thread(target=_answer, args=(passphrase, serial_log, serial_socket, patience, done), daemon=True)
    if passphrase:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if passphrase:
            thread.join()


def _answer(passphrase: str, serial_log: Path, serial_socket: Path, patience: float, done: threading.Event) -> None:
    answered, waited = 0, 0.0
    # One line for all answers: QEMU loses what the machine has not read when its line is hung up. It halts the machine
    # where nobody reads what that says there.
    with socket.socket(socket.AF_UNIX) as line:
        while not done.wait(_INTERVAL):
            said = serial_log.read_bytes() if serial_log.exists() else b""
            asked = said.count(PROMPT)
            waited += _INTERVAL
            stands = asked > 0 and OPEN not in said.rpartition(PROMPT)[2]
            if asked > answered or (stands and waited >= patience):
                if not answered:
                    line.connect(str(serial_socket))
                    line.setblocking(False)
                line.sendall(f"{passphrase}\n".encode())
                answered, waited = asked, 0.0
            if answered:
                with suppress(BlockingIOError, ConnectionError):
                    while line.recv(1 << 16):
                        pass
