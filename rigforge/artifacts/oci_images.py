"""The container images of a stack: an OCI layout with the images base, runtime and dev, in images/STACK."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rigforge.artifacts import recheck
from rigforge.artifacts.artifact import SBOM, Artifact, Bill, Build, Digest, Product, Result, Step, Subject
from rigforge.engine.compose import write_definitions
from rigforge.engine.gpus import Access
from rigforge.engine.image import reference
from rigforge.errors import UsageError
from rigforge.foreign import boundary, leaving_out
from rigforge.images import blob, container, description, oci
from rigforge.images.blob import MEDIA_TYPES
from rigforge.images.container import Container
from rigforge.layers.build import Cache
from rigforge.layers.pipeline import make_layers
from rigforge.layers.plan import Layer, plan
from rigforge.lock.model import Lock
from rigforge.records.checksums import sha256
from rigforge.stack.model import Stack
from rigforge.store.comparison import Expected


@dataclass(frozen=True)
class Layout(Product):
    """An OCI layout, with the images in it that a build was asked for, by their names."""

    images: Mapping[str, Container] = field(default_factory=dict)


@dataclass(frozen=True)
class OciImages(Artifact[Layout]):
    """The images of a stack, or the one named `image`, of the layers that its machines are made of.

    Beside the layout, in STACK-dev, are definitions of the dev image for compose and for editors.
    Raises UsageError for a compression that is unknown.
    """

    image: str = ""
    compression: str = "zstd"

    task = "build-images"
    noun = "an OCI layout"
    name = "{stack}"
    folder = "images"
    index = "index.json"
    of_site = False
    trials: ClassVar[Mapping[str, str]] = {
        f"image {image}": f"images/{{stack}}-{image}-tests" for image in description.IMAGES
    }

    def __post_init__(self) -> None:
        if self.compression not in MEDIA_TYPES:
            raise UsageError(f"unknown compression: {self.compression}", f"it is one of: {', '.join(MEDIA_TYPES)}")

    def layers(self, stack: Stack, lock: Lock) -> tuple[Layer, ...]:
        """Returns the layers of the images that are asked for. Raises UsageError where the stack has no such image."""
        layers = plan(stack, lock)
        return description.needed(layers, self._names(stack, layers))

    def make(self, build: Build) -> Layout:
        """Writes the images into their layout, in which others stay, and the definitions of the dev image."""
        stack, lock, cache, compression = build.stack, build.lock, build.cache, self.compression
        layers, image_layers = plan(stack, lock), self.layers(stack, lock)
        if build.check:
            self.read_again(build, image_layers)
        packed = partial(container.pack, cache=cache, compression=compression)
        parts = make_layers(image_layers, cache, build.mirrors, packed, offline=build.offline)
        doctor = next(
            (container.pack_doctor(part, cache, compression) for part in layers if part.name == "doctor"), None
        )
        images = {}
        for name in self._names(stack, layers):
            tars = [(layer, tar) for layer, tar in parts if layer.name in description.IMAGES[name]]
            images[name] = container.put_together(stack, lock, name, tars, doctor, cache, compression)
        layout = self.path(stack.name, build.out)
        index = layout / self.index
        old_index = index.read_bytes() if index.exists() else b""
        oci.write(layout, {name: image.image for name, image in images.items()})
        if dev := images.get("dev"):
            access: Access = "toolkit" if "cuda" in dev.description.versions else "none"
            write_definitions(reference(stack.name, "dev"), self.beside(layout, "-dev"), access)
        return Layout(
            path=layout,
            changed=index.read_bytes() != old_index,
            layers=layers,
            bills=tuple(
                Bill(
                    f"{layout.name}-{name}{SBOM}",
                    Subject(f"{stack.name}:{name}", "image"),
                    description.needed(layers, [name]),
                )
                for name in images
            ),
            sha256=sha256(index),
            subjects={f"{stack.name}:{name}": _hex(image.image.digest) for name, image in images.items()},
            images=images,
        )

    def _names(self, stack: Stack, layers: Sequence[Layer]) -> list[str]:
        offered = description.offered(layers)
        names = [name for name in offered if self.image in ("", name)]
        if not names:
            raise UsageError(f"stack {stack.name} has no image {self.image!r}", f"it has: {', '.join(offered)}")
        return names

    def forget_damaged(self, path: Path) -> None:
        """Reads the blobs of a layout and removes those that are damaged, and with them its index."""
        blobs = path / "blobs/sha256"
        for name in recheck.damaged([Expected(file.name, file.name) for file in blobs.glob("*")], blobs):
            (blobs / name).unlink()
            (path / self.index).unlink(missing_ok=True)

    def contents(self, path: Path) -> Iterator[Sequence[Expected]]:
        """Yields the manifests of a layout, then the configurations and layers that they name."""
        descriptors = oci.read_index(path)
        with boundary(f"{path / self.index} has descriptors of another form"):
            manifests = {_expected(descriptor) for descriptor in descriptors}
        yield [*manifests]
        documents = [oci.read_blob(path, descriptor["digest"]) for descriptor in descriptors]
        with boundary(f"{path} has a manifest of another form"):
            blobs = {_expected(part) for document in documents for part in (document["config"], *document["layers"])}
        yield [*blobs]

    def members(self, path: Path) -> dict[str, str]:
        """Returns the images of a layout by their names, and their parts: `dev`, `dev/config`, `dev/layer-1`."""
        members: dict[str, str] = {}
        for descriptor in oci.read_index(path):
            name = descriptor["annotations"][oci.TAG]
            manifest = oci.read_blob(path, descriptor["digest"])
            members[name] = _hex(descriptor["digest"])
            members[f"{name}/config"] = _hex(manifest["config"]["digest"])
            for number, layer in enumerate(manifest["layers"], 1):
                members[f"{name}/layer-{number}"] = _hex(layer["digest"])
        return members

    def extract(self, path: Path, member: str, target: Path) -> bool:
        """Puts the blob of a member into the file `target`."""
        source = oci.blob_path(path, f"sha256:{self.members(path).get(member)}")
        if source.exists():
            shutil.copyfile(source, target)
        return source.exists()

    def result(self, path: Path, cache: Cache) -> Result:
        """Returns what a report tells of the images: their digests, and the making of their tars, each once."""
        entries: list[Any] = []
        with leaving_out(path):
            entries = list(oci.read_index(path))
        images = [image for entry in entries if (image := _image(path, entry))]
        seconds = blob.seconds(cache.directory / "blobs")
        names = {layer.digest: layer.name for _, layers in images for layer in layers}
        steps = {digest: name.removeprefix("rigforge ").removeprefix("dockerfiles/") for digest, name in names.items()}
        return Result(
            digests=tuple(digest for digest, _ in images),
            steps=tuple(
                Step(f"tar of {name}", seconds.get(digest))
                for digest, name in steps.items()
                if name.startswith("layer ") or name.endswith(".Dockerfile")
            ),
        )


def _image(layout: Path, entry: Any) -> tuple[Digest, list[Digest]] | None:
    """Returns an image of a layout and its layers, bottom first, by what made them; None where it is not whole."""
    with leaving_out(f"an image of {layout}"):
        manifest = oci.read_blob(layout, entry["digest"])
        history = oci.read_blob(layout, manifest["config"]["digest"])["history"]
        layers = [
            Digest(str(step["created_by"]), int(layer["size"]), str(layer["digest"]))
            for step, layer in zip(history, manifest["layers"], strict=True)
        ]
        size = sum(layer.size for layer in layers)
        return Digest(f"image {entry['annotations'][oci.TAG]}", size, str(entry["digest"])), layers
    return None


def _expected(descriptor: Mapping[str, Any]) -> Expected:
    digest = str(descriptor["digest"])
    return Expected(oci.blob_place(digest), _hex(digest), int(descriptor["size"]))


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
