"""Many files against their sha256, read in several threads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from threading import Event
from typing import TypeVar

from rigforge.errors import StoppedError

#: Bytes read and hashed at a time.
CHUNK = 1 << 20

#: Enough for a disk's speed: one thread hashes over 1 GB/s where the processor has instructions for it, else 0.4.
THREADS = 4

#: Opens a file and yields its bytes, in chunks.
Reader = Callable[[Path], Iterator[bytes]]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, order=True)
class Expected:
    """What a file is to be: `path` counts from its directory, `sha256` is in hex, `size` in bytes where it is known."""

    path: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True, order=True)
class Problem:
    """A file that is not as it should be, and why, in words."""

    path: str
    reason: str


def compare(expected: Iterable[Expected], directory: Path) -> list[Problem]:
    """Returns what is wrong with the files in `directory`, by path; only those of the right size are read."""
    problems, whole = [], []
    for file in sorted(expected):
        try:
            status = (directory / file.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            problems.append(Problem(file.path, "is missing"))
        except OSError as error:
            problems.append(Problem(file.path, f"cannot be read: {error.strerror}"))
        else:
            if not S_ISREG(status.st_mode):
                problems.append(Problem(file.path, "is not a file"))
            elif file.size not in (None, status.st_size):
                problems.append(Problem(file.path, f"has {status.st_size} bytes, not {file.size}"))
            else:
                whole.append((status.st_size, file))

    def examine(entry: tuple[int, Expected], read: Reader) -> Problem | None:
        file = entry[1]
        digest = hashlib.sha256()
        try:
            for chunk in read(directory / file.path):
                digest.update(chunk)
        except OSError as error:
            return Problem(file.path, f"cannot be read: {error.strerror}")
        return None if digest.hexdigest() == file.sha256 else Problem(file.path, "has other content")

    whole.sort(reverse=True)
    content_problems = in_threads("checking", whole, sum(size for size, _ in whole), examine)
    return sorted([*problems, *filter(None, content_problems)])


def in_threads(title: str, items: Sequence[T], total: int, work: Callable[[T, Reader], R]) -> list[R]:
    """Returns what `work` makes of each of `items`, in their order, with progress towards `total` bytes.

    `work` reads by the Reader that it is given. After an error or Ctrl-C nothing more is read.
    """
    if not items:
        return []
    # rich takes longer to import than most layers to hash, and a namespace shows no progress.
    from rigforge.console import Transfer

    stop = Event()
    pool = ThreadPoolExecutor(THREADS)
    with Transfer(title, len(items), total) as transfer:

        def read(path: Path) -> Iterator[bytes]:
            try:
                with path.open("rb", buffering=0) as file:
                    while chunk := file.read(CHUNK):
                        if stop.is_set():
                            raise StoppedError
                        transfer.advance(len(chunk))
                        yield chunk
            except OSError as error:
                error.filename = str(path)  # read() names none
                raise

        def one(item: T) -> R:
            result = work(item, read)
            transfer.file_done()
            return result

        try:
            return list(pool.map(one, items))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
