"""Files of a root that is put together of layers, without mounting it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

#: As many symbolic links as Linux follows (path_resolution(7)).
LINKS = 40


def find(path: str, roots: Sequence[Path]) -> Path | None:
    """Returns where the file `path` of a root is that is made of `roots`, top first; None where there is no such file.

    Symbolic links are followed within that root, never into the one of this machine. A whiteout is returned as what
    it is, a device.
    """
    for _ in range(LINKS):
        parts = os.path.normpath(path).lstrip("/").split("/")
        places = list(roots)
        for depth, part in enumerate(parts):
            entries = [place / part for place in places if os.path.lexists(place / part)]
            if not entries:
                return None
            if entries[0].is_symlink():
                path = str(Path("/", *parts[:depth], entries[0].readlink(), *parts[depth + 1 :]))
                break
            places = list(takewhile(_is_directory, entries)) or entries[:1]
        else:
            return entries[0]
    return None


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
