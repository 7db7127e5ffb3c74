"""Container images: which layers each has, what it tells of itself, and how it is put together."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rigforge import __version__, namespace
from rigforge.compat.cuda import OLDEST_DRIVER
from rigforge.console import step
from rigforge.errors import RigforgeError
from rigforge.images import blob, oci
from rigforge.images.blob import Blob
from rigforge.layers.build import Cache
from rigforge.layers.plan import CUDA_ROOT, ENVIRONMENT, Layer
from rigforge.lock.model import Lock, to_text
from rigforge.stack.model import Stack
from rigforge.state import PROJECT

#: The layers of each image; it is made where the stack has the last of them. A machine has `host` besides.
IMAGES = {"base": ("base", "cuda"), "runtime": ("base", "cuda", "python"), "dev": ("base", "cuda", "python", "devel")}

DOCKERFILES = PROJECT / "dockerfiles"

#: What the lock knows of the machine only, and of the layer python.
_OF_THE_MACHINE = {"driver", "kernel", "kernel_package_version"}
_OF_PYTHON = {"jupyterlab", "python", "pytorch"}

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PREFIX = "io.rigforge"


@dataclass(frozen=True)
class Description:
    """What an image says of itself, in /etc/rigforge/manifest.json.

    `lock` is the sha256 (hex) of the lock file, `layers` maps their names to the digests of their tars, `versions` are
    the lock's, and `requires` has the oldest driver that the image's CUDA runs on, where there is CUDA.
    """

    stack: str
    image: str
    lock: str
    layers: Mapping[str, str]
    versions: Mapping[str, str]
    requires: Mapping[str, str]

    @classmethod
    def of(cls, stack: Stack, lock: Lock, image: str, layers: Mapping[str, Blob]) -> Description:
        """Describes an image of a stack with these layers."""
        absent = _OF_THE_MACHINE | (set() if "python" in layers else _OF_PYTHON)
        versions = {name: version for name, version in sorted(lock.versions.items()) if name not in absent}
        requires = {"driver": OLDEST_DRIVER[_major(versions["cuda"])]} if "cuda" in versions else {}
        sha256 = hashlib.sha256(to_text(lock).encode()).hexdigest()
        digests = {name: layer.diff_id for name, layer in layers.items()}
        return cls(stack.name, image, sha256, digests, versions, requires)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    def config(self, epoch: int) -> dict[str, Any]:
        """Returns what follows from the lock (of `epoch`) of a configuration; the Dockerfile adds the rest."""
        env = {"PATH": _SYSTEM_PATH}
        if "python" in self.versions:
            env |= {"PATH": f"{ENVIRONMENT}/bin:{_SYSTEM_PATH}", "VIRTUAL_ENV": ENVIRONMENT}
        if "cuda" in self.versions:
            # The driver's own CUDA may be of any minor version: that is CUDA's minor-version compatibility.
            require = f"cuda>={_major(self.versions['cuda'])}.0"
            env |= {"PATH": f"{env['PATH']}:{CUDA_ROOT}/bin", "CUDA_HOME": CUDA_ROOT, "NVIDIA_REQUIRE_CUDA": require}
        labels = {
            "org.opencontainers.image.created": oci.timestamp(epoch),
            "org.opencontainers.image.version": __version__,
            f"{_PREFIX}.stack": self.stack,
            f"{_PREFIX}.image": self.image,
            f"{_PREFIX}.lock": f"sha256:{self.lock}",
            **{f"{_PREFIX}.version.{name}": version for name, version in self.versions.items()},
        }
        return {"Env": [f"{name}={value}" for name, value in env.items()], "Labels": labels}


def offered(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Returns the images that can be made of a stack's layers."""
    names = {layer.name for layer in layers}
    return tuple(image for image, parts in IMAGES.items() if image == "base" or parts[-1] in names)


def pack(layer: Layer, cache: Cache, compression: str) -> Blob:
    """Returns the blob of a built layer, made now where it is missing."""
    output = cache.blob(layer.key, compression)
    if not blob.find(output):
        request = {"source": str(cache.rootfs(layer)), "output": str(output), "compression": compression}
        with step(f"tar of layer {layer.name}"):
            namespace.call("rigforge.images.changeset:pack", request, log=cache.log(f"tar-{layer.name}"))
    return _made(output)


@dataclass(frozen=True)
class Container:
    """A finished image, with what it says of itself."""

    description: Description
    image: oci.Image


def put_together(
    stack: Stack, lock: Lock, name: str, layers: Sequence[tuple[Layer, Blob]], cache: Cache, compression: str
) -> Container:
    """Makes the image `name` of a stack from its `layers` with their blobs, bottom first, and its Dockerfile."""
    description = Description.of(stack, lock, name, {layer.name: packed for layer, packed in layers})
    own = [oci.Layer(f"rigforge layer {layer.name}", packed) for layer, packed in layers]
    epoch = lock.source_date_epoch
    top, config = _top(
        name, [layer for layer, _ in layers], own[0], description.config(epoch), epoch, cache, compression
    )
    note = _note(description.to_json(), epoch, cache, compression)
    added = (oci.Layer(f"dockerfiles/{name}.Dockerfile", top), oci.Layer("rigforge manifest", note))
    return Container(description, oci.Image((*own, *added), config, epoch))


def _top(
    image: str,
    layers: Sequence[Layer],
    base: oci.Layer,
    config: Mapping[str, Any],
    epoch: int,
    cache: Cache,
    compression: str,
) -> tuple[Blob, dict[str, Any]]:
    """Builds the image's Dockerfile, or takes what an earlier run made of the same; returns layer and configuration."""
    dockerfile = DOCKERFILES / f"{image}.Dockerfile"
    sources = [Path(__file__).with_name("top.py"), dockerfile, *sorted((DOCKERFILES / "files").iterdir())]
    content = [source.read_bytes() for source in sources if source.is_file()]
    made_of = [json.dumps([config, epoch, [layer.key for layer in layers]], sort_keys=True).encode(), *content]
    output = cache.blob(hashlib.sha256(b"\0".join(made_of)).hexdigest()[:40], compression)
    configuration = output.with_suffix(".config.json")
    if not (configuration.exists() and blob.find(output)):
        with step(f"{dockerfile.name}"), tempfile.TemporaryDirectory(dir=output.parent, prefix=".top-") as directory:
            folder = Path(directory)
            work = folder / "work"
            work.mkdir()
            oci.write(folder / "layout", {"base": oci.Image((base,), config, epoch)})
            request = {
                "dockerfile": str(dockerfile),
                "context": str(DOCKERFILES),
                "layout": str(folder / "layout"),
                "above": [str(cache.rootfs(layer)) for layer in layers[1:]],
                "epoch": epoch,
                "compression": compression,
                "output": str(output),
                "config": str(configuration),
                "work": str(work),
            }
            try:
                namespace.call("rigforge.images.top:build", request, log=cache.log(f"top-{image}"))
            finally:
                namespace.remove_tree(work)
    return _made(output), json.loads(configuration.read_text())


def _note(text: str, epoch: int, cache: Cache, compression: str) -> Blob:
    """Returns a layer that holds nothing but /etc/rigforge/manifest.json."""
    output = cache.blob(hashlib.sha256(f"{epoch} {text}".encode()).hexdigest()[:40], compression)
    if not blob.find(output):
        with blob.create(output, compression) as tar:
            folder, file = tarfile.TarInfo("etc/rigforge"), tarfile.TarInfo("etc/rigforge/manifest.json")
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, epoch
            file.size, file.mtime = len(text.encode()), epoch
            tar.addfile(folder)
            tar.addfile(file, io.BytesIO(text.encode()))
    return _made(output)


def _made(path: Path) -> Blob:
    found = blob.find(path)
    if found is None:
        raise RigforgeError(f"{path} is damaged", "remove it: it is made again")
    return found


def _major(version: str) -> int:
    return int(version.partition(".")[0])
