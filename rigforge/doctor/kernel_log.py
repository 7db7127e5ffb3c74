"""The kernel's log: the lines that may mean something, of this boot and of the boots before.

A log may be huge and need not be text. So it is read in pieces, each only searched for words, and a line is taken out
of it only where it has one.
"""

from __future__ import annotations

import gzip
import re
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor.machine import Machine

#: Characters of a line, of which some are before the word that was searched for.
LONGEST, BEFORE = 600, 200
#: Lines that are kept of a log's begin, and as many of its end; lines with one word in one piece of it.
MOST, FLOOD = 20_000, 500
#: Bytes at a log's begin and at its end that are searched for every word.
BEGIN, END = 4 << 20, 8 << 20
#: Seconds for all of it, of them for the ring buffer, and of them for what is neither begin nor end of a log.
PATIENCE, FIRST, MIDDLE = 4.5, 3.5, 1.5

#: How many boots before this one are looked at: what made somebody restart the machine is in the last of them.
BOOTS_BEFORE = 2

#: The first line of a boot.
_START = "Linux version "

#: What NVIDIA's drivers begin their errors with.
_NVIDIA = (b"Xid (", b"NVRM: ")

_PIECE = 1 << 20
_FILES = ("var/log/kern.log", "var/log/kern.log.1", "var/log/kern.log.2.gz", "var/log/messages", "var/log/messages.1")
_JOURNAL = ("journalctl", "--dmesg", "--no-pager", "--output=cat")


@dataclass(frozen=True)
class Log:
    """The lines with one of the words, in their order; each has no more than `LONGEST` characters.

    `ago` counts boots: 0 is this one. `begun` tells whether the log reaches back to the kernel's start, `cut` whether
    it was longer than what could be looked at.
    """

    lines: tuple[str, ...]
    ago: int = 0
    begun: bool = True
    cut: bool = False

    @property
    def when(self) -> str:
        """Words to put before what is told of it; "" for this boot.

        >>> Log((), ago=1).when
        'in the boot before: '
        """
        return {0: "", 1: "in the boot before: "}.get(self.ago, f"{self.ago} boots before: ")


def read(machine: Machine, words: Collection[str], before: int = BOOTS_BEFORE) -> tuple[Log, ...]:
    """Returns this boot's logs, then those of the boots before; none where nobody but root may read them.

    This boot has two where the ring buffer of the kernel has wrapped: what it still has, and what the journal has.
    """
    until = time.monotonic() + PATIENCE
    ring = _of_program(machine, ("dmesg",), words, until - PATIENCE + FIRST)
    logs = [ring] if ring else []
    if not ring or not ring.begun:
        journal = _of_program(machine, (*_JOURNAL, "--boot"), words, until)
        logs = [*([journal] if journal and (journal.lines or journal.begun) else []), *logs]
    earlier = []
    for ago in range(1, before + 1):
        log = _of_program(machine, (*_JOURNAL, f"--boot=-{ago}"), words, until, ago)
        if not log:
            break
        earlier.append(log)
    if not logs or (before and not earlier):
        files = _of_files(machine.root, words, until)
        logs = logs or [log for log in files if not log.ago]
        earlier = earlier or [log for log in files if 0 < log.ago <= before]
    return (*logs, *earlier)


def _of_program(
    machine: Machine, argv: tuple[str, ...], words: Collection[str], until: float, ago: int = 0
) -> Log | None:
    """Returns what a program tells; None where it does not, or not any more today."""
    sieve = _Sieve(words)
    code = machine.pour(*argv, into=sieve.take, seconds=until - time.monotonic())
    if code is None or code:
        return None
    late = time.monotonic() >= until
    lines = sieve.lines()
    begun = any(_START in line for line in lines)
    return Log(tuple(line for line in lines if _START not in line), ago, begun, sieve.cut or late)


def _of_files(root: Path, words: Collection[str], until: float) -> tuple[Log, ...]:
    """Returns the logs of syslog's files, newest boot first: each begins with a kernel's start."""
    sieve, any_file = _Sieve(words), False
    for name in reversed(_FILES):
        try:
            with (gzip.open if name.endswith(".gz") else open)(root / name, "rb") as file:
                any_file = True
                while time.monotonic() < until and (piece := file.read(_PIECE)):
                    sieve.take(piece)
        except (OSError, EOFError):
            continue
    if not any_file:
        return ()
    boots: list[list[str]] = [[]]
    for line in sieve.lines():
        if _START in line:
            boots.append([])
        else:
            boots[-1].append(line)
    newest = enumerate(reversed(boots))
    return tuple(Log(tuple(lines), ago, ago < len(boots) - 1, sieve.cut) for ago, lines in newest)


class _Sieve:
    """Keeps the lines of a stream of bytes that have one of the words: all of them at its begin and its end.

    Between those only NVIDIA's own words are looked for, while there is time; of a flood only some lines are kept.
    """

    def __init__(self, words: Collection[str]) -> None:
        self.cut = False
        self._hurry = time.monotonic() + MIDDLE
        self._all = tuple(dict.fromkeys(word.encode() for word in (*words, _START)))
        self._seen = self._held = 0
        self._gathered: list[bytes] = []
        self._window: deque[bytes] = deque()
        self._rest = b""
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=MOST)

    def take(self, piece: bytes) -> None:
        """Takes what comes next, of any length: a pipe gives less at once than is worth a search."""
        self._gathered.append(piece)
        if sum(map(len, self._gathered)) >= _PIECE:
            self._take(b"".join(self._gathered))
            self._gathered.clear()

    def _take(self, piece: bytes) -> None:
        self._seen += len(piece)
        if self._seen <= BEGIN:
            self._sift(piece, self._all)
            return
        self._window.append(piece)
        self._held += len(piece)
        while self._held > END:
            oldest = self._window.popleft()
            self._held -= len(oldest)
            if time.monotonic() < self._hurry:
                self._sift(oldest, _NVIDIA)
            else:
                self.cut, self._rest = True, b""

    def lines(self) -> tuple[str, ...]:
        """Returns the lines, once the last piece was taken."""
        for piece in (*self._window, *self._gathered, b"\n"):
            self._sift(piece, self._all)
        self._window.clear()
        self._gathered.clear()
        return (*self._first, *self._last)

    def _sift(self, piece: bytes, words: tuple[bytes, ...]) -> None:
        data = self._rest + piece
        # Rubbish without an end of line is cut anywhere.
        end = data.rfind(b"\n") + 1 or (len(data) if len(data) > _PIECE else 0)
        data, self._rest = data[:end], data[end:]
        ranges: dict[int, tuple[int, int]] = {}
        for word in words:
            at, times = data.find(word), 0
            while at >= 0 and times < FLOOD:
                start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
                end = end if end >= 0 else len(data)
                begin = max(start, at - BEFORE)
                ranges.setdefault(start, (begin, min(end, begin + LONGEST)))
                at, times = data.find(word, end), times + 1
            self.cut = self.cut or times == FLOOD
        for _, (start, end) in sorted(ranges.items()):
            if words is _NVIDIA and not any(word in data[start:end] for word in self._all):
                continue
            text = _message(data[start:end].decode(errors="replace"))
            (self._first if len(self._first) < MOST else self._last).append(text)


def _message(line: str) -> str:
    """Returns a line without the kernel's own time and level at its begin."""
    return re.sub(r"^(?:<\d{1,3}>)?\[ *\d{1,9}(?:\.\d{1,9})?\] ?", "", line.strip())
