"""Locks of the past, as git has them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, read
from rigforge.process import run


def read_at(revision: str, path: Path) -> Lock:
    """Reads the lock `path` as it is in a revision of the git checkout that it lies in.

    Raises RigforgeError where there is no such checkout, revision or file in it, or where it is no lock that this
    Rigforge reads.
    """
    blob = run(["git", "show", f"{revision}:./{path.name}"], cwd=path.absolute().parent, check=False)
    if blob.returncode:
        raise RigforgeError(
            f"{revision}: neither a lock file nor a git revision that has {path}: {blob.stderr.strip()}",
            "name two locks, or a revision such as HEAD and a lock in a git checkout",
        )
    with tempfile.TemporaryDirectory() as folder:
        # A folder of its own, as messages name the file, and the file names the stack.
        copy = Path(folder) / revision.replace("/", "-") / path.name
        copy.parent.mkdir()
        copy.write_text(blob.stdout, encoding="utf-8")
        return read(copy)
