"""The bytes of one file that have arrived so far."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

#: Bytes read, hashed and written at a time.
CHUNK = 1 << 19


class PartialDownload:
    """A file that grows at its end, so that what it holds is always a beginning that can be resumed.

    It is this process's alone from `claim` to `close`. `size` (bytes) and `sha256` are known at any time.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._digest, self.size = hashlib.sha256(), 0
        while chunk := os.read(descriptor, CHUNK):
            self._digest.update(chunk)
            self.size += len(chunk)

    @classmethod
    def claim(cls, path: Path) -> PartialDownload | None:
        """Opens or creates the file; None while another process has it, or has just finished it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    @property
    def sha256(self) -> str:
        """The sha256 (hex) of what is here."""
        return self._digest.hexdigest()

    def append(self, chunk: bytes) -> None:
        """Adds `chunk` at the end. Raises OSError (disk full), after which the file can still be resumed."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._digest.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Throws away what is here."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._digest, self.size = hashlib.sha256(), 0

    def finish(self, path: Path) -> None:
        """Gives the file its final name, in one step and read-only."""
        os.fchmod(self._descriptor, 0o444)
        self._path.replace(path)

    def discard(self) -> None:
        """Removes the file."""
        self._path.unlink()

    def close(self) -> None:
        """Lets go of the file, for another process to go on with."""
        os.close(self._descriptor)
