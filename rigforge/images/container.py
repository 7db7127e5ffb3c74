"""Container images: a stack's layers, what a Dockerfile adds to them, and a description."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rigforge import namespace
from rigforge.console import step
from rigforge.doctor.build import PROGRAM
from rigforge.images import blob, changeset, dockerfile, oci
from rigforge.images.blob import Blob
from rigforge.images.description import Description
from rigforge.layers.build import Cache, keep_seconds
from rigforge.layers.plan import Layer, environment
from rigforge.lock.model import Lock
from rigforge.stack.model import Stack


@dataclass(frozen=True)
class Container:
    """A finished image, with what it says of itself."""

    description: Description
    image: oci.Image


def pack(layer: Layer, cache: Cache, compression: str) -> Blob:
    """Returns the blob of a built layer, made now where it is missing."""
    output = cache.blob(layer.key, compression)
    if product := blob.find(output):
        return product
    request = changeset.Request(str(cache.rootfs(layer)), str(output), compression)
    with step(f"tar of layer {layer.name}") as elapsed:
        namespace.call("rigforge.images.changeset:pack", asdict(request), log=cache.log(f"tar-{layer.name}"))
        keep_seconds(output.with_suffix(".json"), elapsed())
    return blob.get(output)


def pack_doctor(layer: Layer, cache: Cache, compression: str) -> Blob:
    """Returns a blob with nothing of the built layer `doctor` but the program, as /usr/bin/rigforge-doctor."""
    program = cache.rootfs(layer) / PROGRAM
    epoch = layer.epoch
    return _one_file(
        cache.blob(layer.key, compression), f"usr/bin/{PROGRAM}", program.read_bytes(), epoch, compression, 0o755
    )


def put_together(
    stack: Stack,
    lock: Lock,
    name: str,
    layers: Sequence[tuple[Layer, Blob]],
    doctor: Blob | None,
    cache: Cache,
    compression: str,
) -> Container:
    """Makes the image `name` of a stack from its `layers` with their blobs, bottom first, its Dockerfile, and a blob of
    `pack_doctor`. That one lies above what takes long to fetch and unpack, as it changes more often.
    """
    description = Description.of(stack, lock, name, {layer.name: packed for layer, packed in layers})
    epoch = lock.source_date_epoch
    # Not this checkout's remote: two clones of one stack are to make the same bytes.
    source = stack.images.source if stack.images else ""
    config = description.config(epoch, environment(lock), source)
    top, config = dockerfile.build(name, layers, config, cache, compression)
    history = [oci.HistoryLayer(f"rigforge layer {layer.name}", packed) for layer, packed in layers]
    note = _note(description.to_json(), epoch, cache, compression)
    history.append(oci.HistoryLayer(f"dockerfiles/{name}.Dockerfile", top))
    if doctor:
        history.append(oci.HistoryLayer(PROGRAM, doctor))
    return Container(description, oci.Image((*history, oci.HistoryLayer("rigforge manifest", note)), config, epoch))


def _note(text: str, epoch: int, cache: Cache, compression: str) -> Blob:
    """Returns a layer that holds nothing but /etc/rigforge/manifest.json."""
    output = cache.blob(hashlib.sha256(f"{epoch} {text}".encode()).hexdigest()[:40], compression)
    return _one_file(output, "etc/rigforge/manifest.json", text.encode(), epoch, compression, 0o644)


def _one_file(output: Path, name: str, content: bytes, epoch: int, compression: str, mode: int) -> Blob:
    """Returns the blob `output`, made now where it is missing: one file and the folder that it is in."""
    if product := blob.find(output):
        return product
    with blob.create(output, compression) as tar:
        folder, file = tarfile.TarInfo(name.rpartition("/")[0]), tarfile.TarInfo(name)
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, epoch
        file.size, file.mode, file.mtime = len(content), mode, epoch
        tar.addfile(folder)
        tar.addfile(file, io.BytesIO(content))
    return blob.get(output)
