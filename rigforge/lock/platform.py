"""What the locked packages say about the target: its kernel, its C library, its Python."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.rules.versions import series, upstream
from rigforge.stack.model import Stack

#: An exact kernel's package, with its release.
KERNEL = re.compile(r"linux-image-(?:unsigned-)?(\d.*)")


def kernel(stack: Stack, files: Iterable[LockedFile]) -> str:
    """Returns the release of the kernel, as `uname -r` has it.

    Raises RigforgeError where there is none, or more than one.
    """
    releases = [match[1] for file in files if file.layer == "host" and (match := KERNEL.fullmatch(file.name))]
    if len(releases) != 1:
        raise RigforgeError(
            f"stack {stack.name}: kernel.package = {stack.kernel.package!r} brings "
            f"{' and '.join(releases) or 'no kernel'}, but a machine is built for exactly one",
            "name the package of one kernel, and no other in packages.host",
        )
    return releases[0]


def glibc(files: Iterable[LockedFile]) -> tuple[int, int]:
    """Returns major and minor version of the base's C library, which decides what wheels run.

    Raises RigforgeError where there is none.
    """
    for file in files:
        if file.layer == "base" and file.name == "libc6":
            major, minor = upstream(file.version).split(".")[:2]
            return int(major), int(minor)
    raise RigforgeError("the layer base has no libc6, so no Python can run there", "check the stack's [[archives]]")


def system_python(files: Iterable[LockedFile]) -> str:
    """Returns the series ("3.11") of the distribution's own Python, by its package in these layers.

    Raises RigforgeError where there is none.
    """
    for file in files:
        if file.name == "python3":
            return series(upstream(file.version))
    raise RigforgeError("no layer has python3, which packs rigforge-doctor", "check the stack's [[archives]]")


def python(stack: Stack, files: Iterable[LockedFile]) -> str:
    """Returns the version of the system's Python.

    Raises RigforgeError where the base has none, or one of another series than python.version.
    """
    base = {file.name: file.version for file in files if file.layer == "base"}
    if "python3" not in base:
        raise RigforgeError(
            f"stack {stack.name}: python.provider = 'system', but the layer base has no python3",
            "add python3 and python3-venv to packages.base",
        )
    version = base.get(f"python{stack.python.version}", base["python3"])
    python_version = upstream(version)
    if not f"{python_version}.".startswith(f"{stack.python.version}."):
        raise RigforgeError(
            f"stack {stack.name}: python.version = {stack.python.version!r}, "
            f"but the Python of {stack.system.suite} is {python_version}",
            f"set python.version to {series(python_version)!r}",
        )
    return python_version
