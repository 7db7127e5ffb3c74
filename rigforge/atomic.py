"""Files that are there whole or not at all, and that two processes may make at once."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(file: Path, content: str | bytes, mode: int | None = None) -> None:
    """Writes a file in one step, in place of the one that is there; `mode` is the file's before anybody sees it."""
    with making(file) as new:
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            new.chmod(mode)


@contextmanager
def making(output: Path) -> Iterator[Path]:
    """Yields a path for a file to be made at, in a folder that no other process uses; the file becomes `output`.

    It does so where the block ends well, else it goes. Its content is on the disk before its name is: a power cut
    leaves the old file or the new one. What a killed process has left beside `output` goes too.
    """
    _remove_left(output)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".part", dir=output.parent))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Tells others that somebody still works in it.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder / output.name
        _sync(folder / output.name)
        (folder / output.name).replace(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _sync(file: Path) -> None:
    with file.open("rb") as content:
        os.fsync(content.fileno())


def _remove_left(output: Path) -> None:
    for folder in output.parent.glob(f".{glob.escape(output.name)}.*.part"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
