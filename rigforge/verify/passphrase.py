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
    end = threading.Event()
    thread = threading.Thread(target=_answer, args=(passphrase, serial_log, serial_socket, patience, end), daemon=True)
    if passphrase:
        thread.start()
    try:
        yield
    finally:
        end.set()
        if passphrase:
            thread.join()


def _answer(passphrase: str, serial_log: Path, serial_socket: Path, patience: float, end: threading.Event) -> None:
    answers, seconds = 0, 0.0
    # One line for all answers: QEMU loses what the machine has not read when its line is hung up. It halts the machine
    # where nobody reads what that says there.
    with socket.socket(socket.AF_UNIX) as line:
        while not end.wait(_INTERVAL):
            output = serial_log.read_bytes() if serial_log.exists() else b""
            prompts = output.count(PROMPT)
            seconds += _INTERVAL
            stands = prompts > 0 and OPEN not in output.rpartition(PROMPT)[2]
            if prompts > answers or (stands and seconds >= patience):
                if not answers:
                    line.connect(str(serial_socket))
                    line.setblocking(False)
                line.sendall(f"{passphrase}\n".encode())
                answers, seconds = prompts, 0.0
            if answers:
                with suppress(BlockingIOError, ConnectionError):
                    while line.recv(1 << 16):
                        pass
