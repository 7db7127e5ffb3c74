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
    """Returns what the disk is known by that has the files of `layers`, bottom first, at `epoch` (seconds since 1970).

    It is of what is on the disk, and not of the words that make it: the same disk is known by the same for ever.
    """
    files = [
        [layer.name, layer.epoch, layer.options_by_name, [file.sha256 for file in layer.files]] for layer in layers
    ]
    name = _digest([files, epoch])[:16]
    parts = ("table", "bios", "esp", "root", "root_filesystem", "root_hashes")
    uuids = {part: str(uuid.uuid5(UUIDS, f"{name} {part}")) for part in parts}
    return Identity(id=name, **uuids, volume=uuid.uuid5(UUIDS, f"{name} volume").hex[:8].upper())


def making(layers: Sequence[Layer]) -> str:
    """Returns the hash (hex) of all that decides what becomes of `layers` on a disk."""
    sources = {str(file.relative_to(closure.PACKAGE)): sha256(file) for file in sources_of_disks()}
    return _digest([[layer.key for layer in layers], sources])


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
        with atomic.making(output) as draft:
            options = ["-O", "qcow2", "-c", "-o", f"compression_type={COMPRESSION}"]
            run(["qemu-img", "convert", "-f", "raw", *options, folder / RAW, draft])
    finally:
        namespace.remove_tree(folder)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
