"""What takes the space in a stack's layers, by layer and package."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rigforge import namespace
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer, site_packages
from rigforge.lock.model import Lock
from rigforge.records.file import NOT_SHIPPED
from rigforge.report import measure


@dataclass(frozen=True)
class PackageSize:
    """What a package takes of a layer, in bytes on a disk with blocks of 4 KiB.

    `kind` is the lock's, "deb", "wheel" or "conda"; both it and `name` are empty for all that no package brought.
    """

    layer: str
    kind: str
    name: str
    version: str
    size: int


def packages(layers: Sequence[Layer], lock: Lock, python: str, cache: Cache) -> tuple[PackageSize, ...]:
    """Measures built layers, bottom first; `python` is the minor version of their environment, "" for none.

    Returns the packages of each, the largest first. Raises RigforgeError where this machine allows no namespaces.
    """
    versions = {(file.kind, file.name): file.version for file in lock.files if file.layer not in NOT_SHIPPED}
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        output = Path(directory) / "sizes.json"
        roots = [(layer.name, str(cache.rootfs(layer))) for layer in layers]
        request = measure.Request(roots, site_packages(lock, python), str(output))
        namespace.call("rigforge.report.measure:measure", asdict(request), log=output.with_suffix(".log"))
        measured = json.loads(output.read_text())
    sizes = [
        PackageSize(layer, kind, name, versions.get((kind, name), ""), size)
        for layer, rows in measured.items()
        for kind, name, size in rows
    ]
    order = {layer.name: place for place, layer in enumerate(layers)}
    return tuple(sorted(sizes, key=lambda package: (order[package.layer], -package.size, package.name)))
