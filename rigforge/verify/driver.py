"""A driver's user space without a GPU: what NVIDIA's container toolkit would put into a container, from the lock."""

from __future__ import annotations

from pathlib import Path

from rigforge import distributions, process
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.store import Store
from rigforge.target import cdi


def unpack(stack: Stack, lock: Lock, store: Store, mirrors: Mirrors, root: Path) -> None:
    """Unpacks the locked packages of the driver's user space below `root`, fetching them where they are missing."""
    names = distributions.of(stack).driver_packages(stack)
    packages = [file for file in lock.part("host") if file.name in names]
    store.fetch(packages, mirrors)
    for package in packages:
        process.run(["dpkg-deb", "--extract", store.path(package.sha256), root])


def mounts(root: Path) -> list[tuple[str, Path]]:
    """Returns the files of the driver unpacked below `root`, each with its place in a container, as CDI has them.

    Raises RigforgeError where there is no driver.
    """
    versions = cdi.installed(root)
    if not versions:
        raise RigforgeError(f"the locked packages of the driver bring no libcuda (looked for in {root})")
    edits = cdi.specification(root, versions[0])["containerEdits"]
    return [(mount["containerPath"], Path(mount["hostPath"])) for mount in edits["mounts"]]
