"""The one place for progress and messages; all of it goes to standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from rigforge.plain import line, plain
from rigforge.redact import redacted

#: Colours as NO_COLOR and TERM have them.
_console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

#: Seconds of a command from which on it is worth a line how long it took.
_WORTH_TELLING = 2.0

#: Title and seconds of the steps that are done.
_steps: list[tuple[str, float]] = []


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

    if _is_live():
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        with Progress(*columns, console=_console, transient=True) as progress:
            progress.add_task(line(title), total=None)
            yield elapsed
    else:
        say(f"… {title}")
        yield elapsed
    _steps.append((title, elapsed()))
    say(f"✓ {title} ({elapsed():.1f} s)")


def summary(seconds: float) -> None:
    """Says in one line how long a command and the longest of its steps took, where it took a while."""
    longest = sorted(_steps, key=lambda step: -step[1])[:3]
    if longest and seconds >= _WORTH_TELLING:
        say(f"Done in {duration(seconds)}: {', '.join(f'{title} {duration(each)}' for title, each in longest)}")
    _steps.clear()


def duration(seconds: float) -> str:
    """Returns seconds as people say them.

    >>> [duration(each) for each in (3.21, 59.7, 61, 3599.6, 5000)]
    ['3 s', '1 min 0 s', '1 min 1 s', '1 h 0 min', '1 h 23 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _is_live() -> bool:
    """Tells whether lines can be drawn over: not in a log, whatever FORCE_COLOR says, and not on a dumb terminal."""
    return _console.file.isatty() and not _console.is_dumb_terminal


class Transfer:
    """Progress of a transfer of `total` bytes in `files` files: a bar on a terminal, lines elsewhere."""

    def __init__(self, title: str, files: int, total: int) -> None:
        self._title, self._files, self._total = title, files, total
        self._done_files, self._done_bytes, self._start = 0, 0, time.monotonic()
        self._last_line = self._start
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Transfer:
        if _is_live():
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
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
            left = (self._last_line - self._start) * (self._total / max(self._done_bytes, 1) - 1)
            done = f"{self._done_files}/{self._files} files, {self._done_bytes / 1e6:.1f}/{self._total / 1e6:.1f} MB"
            say(f"  {done}, {duration(max(left, 0))} left")

    def file_done(self) -> None:
        """Counts one file as complete; may be called from any thread."""
        self._done_files += 1
