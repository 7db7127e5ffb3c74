"""What `rigforge.reproduce` does to a layer under construction, to find out whether the layer depends on it.

Nothing, unless RIGFORGE_TRIAL names a directory: its content is then seen at the bottom of every root and is never
part of a layer, and the root lists its directories in a random order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigforge.process import run

VARIABLE = "RIGFORGE_TRIAL"


def ground() -> tuple[Path, ...]:
    """Returns what lies below all layers."""
    return (Path(os.environ[VARIABLE]),) if VARIABLE in os.environ else ()


@contextmanager
def shuffled(path: Path) -> Iterator[Path]:
    """Yields where the mounted root `path` is to be used: elsewhere, with its directories out of order."""
    if VARIABLE not in os.environ:
        yield path
        return
    mount = path.with_name("shuffled")
    mount.mkdir()
    run(["disorderfs", "--multi-user=yes", "--shuffle-dirents=yes", path, mount])
    try:
        yield mount
    finally:
        run(["umount", mount])
        mount.rmdir()
