"""Canonical's ISO as a file of the user's, against the one that is locked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.images import iso
from rigforge.records.checksums import sha256
from rigforge.records.file import LockedFile


def check(file: Path, locked: LockedFile) -> Path:
    """Returns `file` where it is the locked ISO. Raises RigforgeError with what it is where it is another."""
    if not file.is_file():
        raise RigforgeError(f"--base-iso {file}: there is no such file")
    digest = sha256(file)
    if digest != locked.sha256:
        raise RigforgeError(
            f"--base-iso {file} is {_calls_itself(file)}, sha256 {digest};\n"
            f"the lock has {locked.basename}, sha256 {locked.sha256}",
            "take the file that the lock has, or renew the lock where a later point release has replaced it",
        )
    return file


def _calls_itself(file: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        info = Path(directory) / "info"
        return info.read_text().strip() if iso.extract(file, ".disk/info", info) else "no medium of Ubuntu"
