"""The VM disk: a machine's layers as a disk that starts by itself, with no installer run."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rigforge import atomic, closure, namespace
from rigforge.images import disk_in_namespace
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer
from rigforge.process import run
from rigforge.records.checksums import sha256

#: What decides the bytes of a disk besides the layers.
MAKERS = ("rigforge.images.disk", disk_in_namespace.__name__, disk_in_namespace.FIRST_START)

#: The UUIDs of a disk are made from its id in this namespace, so that the same disk has the same.
UUIDS = uuid.UUID("8f0d4c0e-5f0b-4c56-9d1e-726967666f72")

#: Read by QEMU since 5.1; zlib, which all read, takes several times as long.
COMPRESSION = "zstd"


@dataclass(frozen=True)
class Identity:
    """What a disk and its parts are known by; `id` names its very content, `volume` is the number of a FAT."""

    id: str
    table: str
    bios: str
    esp: str
    root: str
    root_filesystem: str
    root_hashes: str
    volume: str


def on_disk(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Returns the layers of a plan that an installed machine has, bottom first."""
    return next(layer for layer in layers if layer.name == "host").chain()


def identity(layers: Sequence[Layer], epoch: int) -> Identity:
    """Returns that of the disk of `layers`, bottom first, which is made at `epoch` (seconds since 1970)."""
    sources = {str(file.relative_to(closure.PACKAGE)): sha256(file) for file in sources_of_disks()}
    content = json.dumps([[layer.key for layer in layers], epoch, sources], sort_keys=True)
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    parts = ("table", "bios", "esp", "root", "root_filesystem", "root_hashes")
    uuids = {part: str(uuid.uuid5(UUIDS, f"{name} {part}")) for part in parts}
    return Identity(id=name, **uuids, volume=uuid.uuid5(UUIDS, f"{name} volume").hex[:8].upper())


def sources_of_disks() -> tuple[Path, ...]:
    """Returns the files of this package that decide what becomes of layers on a disk, sorted."""
    return tuple(sorted({*closure.files(*MAKERS), closure.PACKAGE / disk_in_namespace.UNIT}))


def write(layers: Sequence[Layer], cache: Cache, epoch: int, output: Path) -> None:
    """Writes the disk of built `layers`, bottom first, as qcow2: whole or not at all; the same input, the same bytes.

    Everything on it was made at `epoch` (seconds since 1970).

    Raises RigforgeError, with the log's end where a program failed.
    """
    folder = cache.directory / "disk"
    namespace.remove_tree(folder)
    folder.mkdir(parents=True)
    request = {
        "directory": str(folder),
        "lowers": [str(cache.rootfs(layer)) for layer in reversed(layers)],
        "layers_epoch": layers[-1].epoch,
        "epoch": epoch,
        "identity": asdict(identity(layers, epoch)),
    }
    try:
        namespace.call("rigforge.images.disk_in_namespace:build", request, log=cache.log("disk"))
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic.making(output) as new:
            options = ["-O", "qcow2", "-c", "-o", f"compression_type={COMPRESSION}"]
            run(["qemu-img", "convert", "-f", "raw", *options, folder / disk_in_namespace.RAW, new])
    finally:
        namespace.remove_tree(folder)
