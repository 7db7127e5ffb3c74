"""What packs rigforge-doctor: a part of the lock of its own, resolved for the distribution's own Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rigforge.doctor.build import DEBS, PROGRAM, WHEELS
from rigforge.lock import debs, platform
from rigforge.lock.wheels import locked
from rigforge.records.file import LockedFile
from rigforge.sources import apt
from rigforge.sources.pypi import Index

LAYER = "doctor"


def resolve_debs(root: apt.Root, base: Iterable[LockedFile]) -> tuple[LockedFile, ...]:
    """Returns the packages on top of the layer base, the shared library of its Python among them.

    Raises RigforgeError where the archives do not have them.
    """
    base_files = tuple(base)
    wishes = dict.fromkeys(DEBS, PROGRAM)
    tools = debs.resolve(root, LAYER, wishes, base_files)
    library = f"libpython{platform.system_python((*base_files, *tools))}"
    return debs.resolve(root, LAYER, {**wishes, library: PROGRAM}, base_files)


def resolve_wheels(index: Index, previous: Mapping[str, str], *, fresh: bool = False) -> tuple[LockedFile, ...]:
    """Returns the wheels; `previous` has the versions (by name) to prefer.

    Raises RigforgeError where the index has none that fit, or does not answer.
    """
    wheels = index.resolve(dict.fromkeys(WHEELS, PROGRAM), preferred=previous, fresh=fresh)
    return tuple(locked(wheel, LAYER) for wheel in wheels)
