"""What a machine says on its serial console while it installs and boots."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ESCAPES = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
# The kernel's log puts "[   12.345678] " before a line that was written to /dev/kmsg.
_STAGE = re.compile(r"^(?:\[ *\d+\.\d+\] )?rigforge: (?P<text>.+)$")
# "[5/9] copying the system", and not how far that has come or how long it took.
_BEGINS = re.compile(r"\[\d+/\d+\] (?!.*(?:\d+/\d+ MB|\d s)$)")
_FATAL = re.compile(
    r"\brigforge: FAILED\b|Kernel panic - not syncing|^error: you need to load the kernel first|^grub rescue>"
    # An initramfs that does not find its root (initramfs-tools, casper).
    r"|\bDropping to a shell\b|^\(initramfs\)"
)

_WIDTH = 160


@dataclass(frozen=True)
class Stage:
    """A line of the installer, and when it came (seconds since power-on)."""

    seconds: float
    text: str


def plain(line: str) -> str:
    """Returns a console line without terminal sequences, and without what a carriage return overwrote."""
    return _ESCAPES.sub("", line).rstrip("\r").rsplit("\r", 1)[-1].rstrip()


def stage(line: str) -> str | None:
    """Returns what the installer says in this line, or None when the line is not the installer's."""
    match = _STAGE.match(line)
    return match["text"] if match else None


def begins(text: str) -> bool:
    """Tells whether with this line of the installer another stage begins."""
    return _BEGINS.match(text) is not None


def fatal(line: str) -> bool:
    """Tells whether after this line there is nothing left to wait for."""
    return _FATAL.search(line) is not None


def tail(log: Path, lines: int = 25) -> str:
    """Returns the last lines of a console log, or "" where there is none."""
    if not log.exists():
        return ""
    # A boot menu is one line of a thousand blanks.
    text = (" ".join(plain(line).split())[:_WIDTH] for line in log.read_text(errors="replace").split("\n"))
    return "\n".join([line for line in text if line][-lines:])


@contextmanager
def follow(log: Path, hear: Callable[[str], None], interval: float = 0.2) -> Iterator[None]:
    """Calls `hear` with each line that is written to `log` inside the context, from a thread of its own.

    The file need not exist yet; what it holds at the start is heard too, and so is a last unfinished line.
    """
    end = threading.Event()
    thread = threading.Thread(target=_read_lines, args=(log, hear, interval, end), daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _read_lines(log: Path, hear: Callable[[str], None], interval: float, end: threading.Event) -> None:
    offset, pending = 0, b""
    while True:
        last = end.is_set()
        if log.exists():
            with log.open("rb") as file:
                file.seek(offset)
                data = file.read()
            offset += len(data)
            *lines, pending = (pending + data).split(b"\n")
            # A prompt is a line that nobody ends.
            if pending and (last or fatal(plain(pending.decode(errors="replace")))):
                lines.append(pending)
                pending = b""
            for line in lines:
                hear(plain(line.decode(errors="replace")))
        if last:
            return
        end.wait(interval)
