"""A file that a program prints, hashed while it is written: gigabytes need not be read again for their checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rigforge import atomic, process
from rigforge.errors import RigforgeError


def write(command: Sequence[process.Argument], output: Path, env: Mapping[str, str], *, private: bool = False) -> str:
    """Writes what `command` prints to `output`, whole or not at all, and returns the file's sha256 (hex).

    Nobody but its owner may read it where it is `private`.

    Raises CommandFailed with the program's words, RigforgeError where the disk is full or cannot be written.
    """
    digest = hashlib.sha256()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic.making(output) as draft, draft.open("wb") as file, ThreadPoolExecutor(1) as hasher:

            def take(piece: memoryview) -> None:
                hashing = hasher.submit(digest.update, piece)
                file.write(piece)
                hashing.result()

            if private:
                draft.chmod(0o600)
            process.pipe(command, take, env=env)
    except OSError as error:
        raise RigforgeError(
            f"{output} cannot be written: {error.strerror}", "make room there, or name another folder with --out"
        ) from error
    return digest.hexdigest()
