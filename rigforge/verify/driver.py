"""A driver's user space without a GPU: what NVIDIA's container toolkit would put into a container, from the lock."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rigforge import distributions, process
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.machine import cdi
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.store import Store

#: Not nvidia.com/gpu, which a machine may have as well.
KIND = "rigforge.test/driver"


def unpack(stack: Stack, lock: Lock, store: Store, mirrors: Mirrors, root: Path) -> None:
    """Unpacks the locked packages of the driver's user space below `root`, fetching them where they are missing."""
    names = distributions.of(stack).driver.user_space
    packages = [file for file in lock.part("host") if file.name in names]
    store.fetch(packages, mirrors)
    store.confirm(packages, mirrors)
    for package in packages:
        process.run(["dpkg-deb", "--extract", store.path(package.sha256), root])


def specification(root: Path) -> dict[str, Any]:
    """Returns the CDI specification of the driver unpacked below `root`, of the kind `KIND`.

    Raises RigforgeError where there is no driver.
    """
    versions = cdi.installed(root)
    if not versions:
        raise RigforgeError(f"the locked packages of the driver bring no libcuda (looked for in {root})")
    return {**cdi.specification(root, versions[0]), "kind": KIND}


def mounts(root: Path) -> list[tuple[str, Path]]:
    """Returns the files of the driver unpacked below `root`, each with its place in a container, as CDI has them.

    Raises RigforgeError where there is no driver.
    """
    edits = specification(root)["containerEdits"]
    return [(mount["containerPath"], Path(mount["hostPath"])) for mount in edits["mounts"]]


@contextmanager
def offered(root: Path, directories: Iterable[str]) -> Iterator[str]:
    """Yields the CDI name of the driver unpacked below `root`, for as long as engines find it in `directories`.

    It is "" where there are no such directories, or this user may write to none. Raises RigforgeError where there is
    no driver.
    """
    place = next((Path(name) for name in directories if os.access(name, os.W_OK)), None)
    if not place:
        yield ""
        return
    file = place / "rigforge-test.json"
    cdi.write(file, specification(root))
    try:
        yield f"{KIND}=all"
    finally:
        file.unlink()
