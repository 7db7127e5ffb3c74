"""The one place for progress and messages; all of it goes to standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.text import Text

from rigforge.plain import line, plain
from rigforge.redact import redacted

_console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """Tells the user one thing."""
    _console.print(plain(redacted(text)), markup=False)


def warn(text: str) -> None:
    """Tells the user of something that may need attention."""
    _console.print(f"warning: {plain(redacted(text))}", style="yellow", markup=False)


def fail(message: str, hint: str = "") -> None:
    """Tells the user what is wrong and what to do about it."""
    _console.print(f"error: {plain(redacted(message))}", style="bold red", markup=False)
    if hint:
        _console.print(f"hint: {plain(redacted(hint))}", markup=False)


@contextmanager
def step(title: str) -> Iterator[Callable[[], float]]:
    """Names a step that takes a while, and says how long it took (seconds) once it is done.

    Yields a function that returns the seconds since the step began.
    """
    start = time.monotonic()

    def elapsed() -> float:
        return time.monotonic() - start

    if _console.is_terminal:
        with _console.status(Text(line(title))):
            yield elapsed
    else:
        say(f"… {title}")
        yield elapsed
    say(f"✓ {title} ({elapsed():.1f} s)")


class Transfer:
    """Progress of a transfer of `total` bytes in `files` files: a bar on a terminal, lines elsewhere."""

    def __init__(self, title: str, files: int, total: int) -> None:
        self._title, self._files, self._total = title, files, total
        self._done_files, self._done_bytes, self._last_line = 0, 0, time.monotonic()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Transfer:
        if _console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=_console,
            )
            self._progress.start()
            self._task = self._progress.add_task(line(self._title), total=self._total)
        else:
            say(f"… {self._title}: {self._files} files, {self._total / 1e6:.1f} MB")
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()

    def advance(self, count: int) -> None:
        """Counts `count` bytes as transferred; may be called from any thread."""
        self._done_bytes += count
        if self._progress:
            self._progress.advance(self._task, count)
        elif time.monotonic() - self._last_line > 10:
            self._last_line = time.monotonic()
            say(f"  {self._done_files}/{self._files} files, {self._done_bytes / 1e6:.1f}/{self._total / 1e6:.1f} MB")

    def file_done(self) -> None:
        """Counts one file as complete; may be called from any thread."""
        self._done_files += 1
