"""An image as `docker load` takes it: a tar with its configuration and its layers' plain tars.

Docker reads OCI layouts from version 25 on, and zstd from 23; every version reads this.
Source: Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator

from rigforge.images.oci import Image


def stream(image: Image, reference: str) -> Iterator[bytes]:
    """Yields the archive of an image that is to be called `reference`."""
    configuration = image.configuration()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    layers = [f"{layer.blob.diff_id.removeprefix('sha256:')}.tar" for layer in image.layers]
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": layers}]).encode()
    for file, content in (("manifest.json", manifest), (name, configuration)):
        yield from _member(file, len(content), iter([content]))
    for file, layer in zip(layers, image.layers, strict=True):
        yield from _member(file, layer.blob.tar_size, layer.blob.chunks())
    yield bytes(2 * tarfile.BLOCKSIZE)


def _member(name: str, size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size = size
    yield header.tobuf(tarfile.GNU_FORMAT)  # has room for sizes above 8 GiB
    yield from chunks
    yield bytes(-size % tarfile.BLOCKSIZE)
