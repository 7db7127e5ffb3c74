"""The pins that hold packages on a machine (rigforge.machine.pins), and how to look past them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from rigforge.doctor.machine import Machine
from rigforge.machine.pins import FILE


def pinned(machine: Machine) -> tuple[str, ...]:
    """Returns the packages that `FILE` holds."""
    return tuple(re.findall(r"^Package: (\S+)$", machine.text(FILE), re.MULTILINE))


@contextmanager
def ignored(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yields the option with which apt sees everybody's pins but ours, and so what the archives offer."""
    with tempfile.TemporaryDirectory(prefix="rigforge-") as folder:
        for file in (machine.root / FILE).parent.glob("*"):
            if file.name != PurePath(FILE).name:
                (Path(folder) / file.name).symlink_to(file.absolute())
        yield "--option", f"Dir::Etc::PreferencesParts={folder}"
