"""What was made of a stack, in one folder: the ISO, the container images, and the files that describe them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.build import Stamp
from rigforge.foreign import leaving_out
from rigforge.images.oci import TAG, read_blob, read_index
from rigforge.records.checksums import parse

#: What describes a build and lies beside it, by the end of its name.
DOCUMENTS = {
    "sha256": "checksums",
    "cdx.json": "bill of materials (CycloneDX)",
    "intoto.json": "provenance (in-toto)",
}


@dataclass(frozen=True)
class Iso:
    """The ISO: its size in bytes, its sha256 (hex, "" where no checksum file has it), and its medium's id.

    The id is "" where the ISO is not as the build left it. `seconds` is how long the writing took, as far as is known.
    """

    path: Path
    size: int
    sha256: str
    medium: str
    seconds: float | None


@dataclass(frozen=True)
class ImageLayer:
    """A layer of a container image: what made it, the digest of its blob, the blob's bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True)
class OciImage:
    """A container image of an OCI layout: its tag, the digest of its manifest, its layers, bottom first."""

    tag: str
    digest: str
    layers: tuple[ImageLayer, ...]


@dataclass(frozen=True)
class Attachment:
    """A file that describes the build: what it is, and where."""

    title: str
    path: Path


@dataclass(frozen=True)
class Results:
    """All of it, as far as it is there."""

    iso: Iso | None
    images: tuple[OciImage, ...]
    documents: tuple[Attachment, ...]


def find(stack: str, folder: Path) -> Results:
    """Returns what builds left in `folder` of the stack of this name; the ISO itself is not read."""
    name = f"rigforge-{stack}"
    iso = folder / f"{name}.iso"
    checksums = folder / f"{name}.sha256"
    documents = [Attachment(title, folder / f"{name}.{end}") for end, title in DOCUMENTS.items()]
    return Results(
        iso=_iso(iso, checksums) if iso.exists() else None,
        images=_images(folder / "images" / stack),
        documents=tuple(document for document in documents if document.path.exists()),
    )


def _iso(path: Path, checksums: Path) -> Iso:
    stamp = Stamp.of(path)
    medium, seconds = (stamp.id, stamp.seconds) if stamp else ("", None)
    return Iso(path, path.stat().st_size, _checksum(checksums, path.name), medium, seconds)


def _checksum(file: Path, name: str) -> str:
    with leaving_out(file):
        return parse(file.read_text()).get(name, "") if file.exists() else ""
    return ""


def _images(layout: Path) -> tuple[OciImage, ...]:
    entries: list[Any] = []
    with leaving_out(layout):
        entries = list(read_index(layout))
    return tuple(image for entry in entries if (image := _image(layout, entry)))


def _image(layout: Path, entry: Any) -> OciImage | None:
    with leaving_out(f"an image of {layout}"):
        return OciImage(str(entry["annotations"][TAG]), str(entry["digest"]), _layers(layout, entry["digest"]))
    return None


def _layers(layout: Path, manifest: str) -> tuple[ImageLayer, ...]:
    content = read_blob(layout, manifest)
    history = read_blob(layout, content["config"]["digest"])["history"]
    return tuple(
        ImageLayer(str(step["created_by"]), str(layer["digest"]), int(layer["size"]))
        for step, layer in zip(history, content["layers"], strict=True)
    )
