"""An OCI image layout: blobs under their digests, and an index of tags (OCI image specification 1.1)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.errors import DamagedError, RigforgeError
from rigforge.foreign import boundary
from rigforge.images.blob import Blob
from rigforge.records.checksums import sha256

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIGURATION = "application/vnd.oci.image.config.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
TAG = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class HistoryLayer:
    """A blob in an image, and the step of its history that made it."""

    name: str
    blob: Blob


@dataclass(frozen=True)
class Image:
    """An image: its layers, bottom first, and what a container of it starts with (`config` of the specification)."""

    layers: tuple[HistoryLayer, ...]
    config: Mapping[str, Any]
    epoch: int

    def configuration(self) -> bytes:
        """Returns the image's configuration, whose digest is the image's id."""
        created = timestamp(self.epoch)
        return _json(
            {
                "created": created,
                "architecture": "amd64",
                "os": "linux",
                "config": self.config,
                "rootfs": {"type": "layers", "diff_ids": [layer.blob.diff_id for layer in self.layers]},
                "history": [{"created": created, "created_by": layer.name} for layer in self.layers],
            }
        )

    def manifest(self) -> bytes:
        """Returns the image's manifest, whose digest names the image in a registry."""
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(_CONFIGURATION, self.configuration()),
                "layers": [
                    {"mediaType": layer.blob.media_type, "digest": layer.blob.digest, "size": layer.blob.size}
                    for layer in self.layers
                ],
            }
        )

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return _digest(self.manifest())


def timestamp(epoch: int) -> str:
    """Returns a time (seconds since 1970) as images have it, RFC 3339."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(directory: Path, images: Mapping[str, Image]) -> None:
    """Adds images, by their tags, to the layout in `directory`; other tags stay, and blobs that none needs go.

    The index is replaced last and at once, so that a layout is never seen half written.
    """
    (directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    for image in images.values():
        for layer in image.layers:
            _link(layer.blob, blob_path(directory, layer.blob.digest))
        for content in (image.configuration(), image.manifest()):
            atomic.write(blob_path(directory, _digest(content)), content)
    neighbours = [manifest for manifest in read_index(directory) if manifest["annotations"][TAG] not in images]
    additions = [
        {**_descriptor(MANIFEST, image.manifest()), "annotations": {TAG: tag}} for tag, image in images.items()
    ]
    manifests = sorted([*neighbours, *additions], key=lambda manifest: str(manifest["annotations"][TAG]))
    atomic.write(directory / "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    atomic.write(directory / "index.json", _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}))
    _prune(directory, manifests)


def read_index(directory: Path) -> list[dict[str, Any]]:
    """Returns the descriptors of a layout's images, each with its tag as an annotation; none where there is none."""
    index = directory / "index.json"
    if not index.exists():
        return []
    with boundary(f"{index} is no index of an OCI layout", f"remove {directory}: a build writes it anew"):
        manifests = json.loads(index.read_text(encoding="utf-8"))["manifests"]
        return [{**manifest, "digest": _known(manifest["digest"])} for manifest in manifests]


def read_blob(directory: Path, digest: str) -> dict[str, Any]:
    """Returns a manifest or a configuration of a layout."""
    blob = blob_path(directory, _known(digest))
    with boundary(f"{blob} is neither manifest nor configuration", f"remove {directory}: a build writes it anew"):
        return dict(json.loads(blob.read_text(encoding="utf-8")))


def blob_path(directory: Path, digest: str) -> Path:
    """Returns where a layout has the blob of a digest (`sha256:` and hex)."""
    return directory / blob_place(digest)


def blob_place(digest: str) -> str:
    """Returns where in any layout the blob of a digest is."""
    return f"blobs/{digest.replace(':', '/')}"


def _known(digest: str) -> str:
    """Returns a digest that names a blob. Raises RigforgeError for one that could name another file."""
    if not re.fullmatch("sha256:[0-9a-f]{64}", str(digest)):
        raise RigforgeError(f"{digest!a} is no digest of a blob: sha256 and 64 hex digits", "do not use that layout")
    return digest


def _prune(directory: Path, manifests: Sequence[dict[str, Any]]) -> None:
    paths = set()
    for descriptor in manifests:
        manifest = read_blob(directory, descriptor["digest"])
        parts = (descriptor, manifest["config"], *manifest["layers"])
        paths |= {blob_path(directory, part["digest"]) for part in parts}
    for blob in (directory / "blobs" / "sha256").iterdir():
        if blob not in paths:
            blob.unlink()


def _link(blob: Blob, target: Path) -> None:
    if target.exists():
        return
    with atomic.making(target) as draft:
        try:
            os.link(blob.path, draft)
        except OSError:  # another file system
            shutil.copyfile(blob.path, draft)
        if f"sha256:{sha256(draft)}" != blob.digest:
            blob.forget()
            raise DamagedError(blob.path)


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode()
