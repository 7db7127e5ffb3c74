"""The VM disk: a machine's layers as a disk that starts by itself, with no installer run."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rigforge import atomic, closure, namespace
from rigforge.images.disk_in_namespace import FIRST_START, RAW, UNIT, Identity, Request
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer
from rigforge.process import run
from rigforge.records.checksums import sha256

#: What decides the bytes of a disk besides the layers.
MAKERS = ("rigforge.images.disk", FIRST_START)

#: The UUIDs of a disk are made from its id in this namespace, so that the same disk has the same.
UUIDS = uuid.UUID("8f0d4c0e-5f0b-4c56-9d1e-726967666f72")

#: Read by QEMU since 5.1; zlib, which all read, takes several times as long.
COMPRESSION = "zstd"


def on_disk(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Returns the layers of a plan that an installed machine has, bottom first."""
    return next(layer for layer in layers if layer.name == "host").chain()


def identity(layers: Sequence[Layer], epoch: int) -> Identity:
    """Returns what the disk is known by that is made of `layers`, bottom first, at `epoch` (seconds since 1970)."""
    sources = {str(file.relative_to(closure.PACKAGE)): sha256(file) for file in sources_of_disks()}
    content = json.dumps([[layer.key for layer in layers], epoch, sources], sort_keys=True)
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    parts = ("table", "bios", "esp", "root", "root_filesystem", "root_hashes")
    uuids = {part: str(uuid.uuid5(UUIDS, f"{name} {part}")) for part in parts}
    return Identity(id=name, **uuids, volume=uuid.uuid5(UUIDS, f"{name} volume").hex[:8].upper())


def sources_of_disks() -> tuple[Path, ...]:
    """Returns the files of this package that decide what becomes of layers on a disk, sorted."""
    return tuple(sorted({*closure.files(*MAKERS), closure.PACKAGE / UNIT}))


def write(layers: Sequence[Layer], cache: Cache, identity: Identity, epoch: int, output: Path) -> None:
    """Writes the disk of built `layers`, bottom first, as qcow2: whole or not at all; the same input, the same bytes.

    Everything on it was made at `epoch` (seconds since 1970).

    Raises RigforgeError, with the log's end where a program failed.
    """
    folder = cache.directory / "disk"
    namespace.remove_tree(folder)
    folder.mkdir(parents=True)
    lowers = tuple(str(cache.rootfs(layer)) for layer in reversed(layers))
    request = Request(str(folder), lowers, layers[-1].epoch, epoch, identity)
    try:
        namespace.call("rigforge.images.disk_in_namespace:build", asdict(request), log=cache.log("disk"))
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic.making(output) as new:
            options = ["-O", "qcow2", "-c", "-o", f"compression_type={COMPRESSION}"]
            run(["qemu-img", "convert", "-f", "raw", *options, folder / RAW, new])
    finally:
        namespace.remove_tree(folder)
