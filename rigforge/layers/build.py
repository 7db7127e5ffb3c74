"""Builds the layers that are not there yet, and makes squashfs files of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rigforge import atomic, namespace
from rigforge.console import step
from rigforge.errors import DamagedError
from rigforge.layers import in_namespace, squashfs
from rigforge.layers.plan import ON_MEDIUM, Layer
from rigforge.records.file import LockedFile
from rigforge.store.comparison import Expected, compare
from rigforge.store.store import Store

#: Block size of the squashfs files: larger ones are smaller, and slower where little is read of them.
BLOCK = "256K"


@dataclass(frozen=True)
class Squashfs:
    """A layer's squashfs: its file, the file's sha256 (hex), and the bytes that its content takes on a disk.

    `layer` is several names, bottom first with a `+` between them, where one file holds more than one.
    `seconds` is how long it took to make, None for one that was made before this was kept.
    """

    layer: str
    path: Path
    sha256: str
    content_bytes: int
    seconds: float | None = None


@dataclass(frozen=True)
class Cache:
    """The directory in which built layers and squashfs files are kept."""

    directory: Path

    def layer(self, layer: Layer) -> Path:
        """Returns where a built layer is: a directory with `rootfs` (the upper directory) and `made.json`."""
        return self.directory / "layers" / layer.key

    def rootfs(self, layer: Layer) -> Path:
        """Returns the upper directory of a built layer."""
        return self.layer(layer) / "rootfs"

    def made(self, layer: Layer) -> Path:
        """Returns the file that says how many seconds a built layer took; older layers have none."""
        return self.layer(layer) / "made.json"

    def squashfs(self, layer: Layer, level: int) -> Path:
        """Returns where the squashfs of a layer is, compressed with zstd at `level`.

        What is known of it lies beside it, so a file that another version of `squash` has made is another file.
        """
        made_by = hashlib.sha256(Path(__file__).with_name("squashfs.py").read_bytes()).hexdigest()[:8]
        return self.directory / "squashfs" / f"{layer.key}-{level}-{BLOCK}-{made_by}.squashfs"

    def blob(self, key: str, compression: str) -> Path:
        """Returns where the tar of what `key` stands for is, compressed; its directory is there."""
        file = self.directory / "blobs" / f"{key}-{compression}.tar"
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def log(self, name: str) -> Path:
        """Returns the file for the log of one step; emptied."""
        file = self.directory / "logs" / f"{name}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
        return file


def missing(layers: Sequence[Layer], cache: Cache) -> tuple[Layer, ...]:
    """Returns the layers that have to be built; one that only serves others of them is missing if one of those is."""
    serving = {product.key for layer in layers for product in layer.uses if product.name not in ON_MEDIUM}
    keys = {layer.key for layer in layers if layer.key not in serving and not cache.layer(layer).exists()}
    for layer in layers:
        if layer.key in keys:
            keys |= {product.key for product in layer.uses if not cache.layer(product).exists()}
    return tuple(layer for layer in layers if layer.key in keys)


def build(layer: Layer, store: Store, cache: Cache) -> None:
    """Builds one layer; the ones it needs are there.

    Raises RigforgeError, and leaves nothing half built.
    """
    place = cache.layer(layer)
    partial = place.with_name(f".{layer.key}")
    namespace.remove_tree(partial)
    files = partial / "files"
    files.mkdir(parents=True)
    # A conda package may be for two environments, and is one file.
    for file in {file.basename: file for file in layer.files}.values():
        link(file, store, files)
    lowers = [cache.rootfs(lower) for lower in reversed(layer.chain()[:-1])]
    request = in_namespace.Request(
        layer=layer.name,
        directory=str(partial),
        files=str(files),
        lowers=[str(path) for path in lowers],
        products={product.name: str(cache.rootfs(product)) for product in layer.uses},
        epoch=layer.epoch,
        options=asdict(layer.options),
    )
    try:
        with step(f"layer {layer.name}") as elapsed:
            namespace.call("rigforge.layers.in_namespace:build", asdict(request), log=cache.log(layer.name))
        for name in ("files", "mounted", "work", "empty"):
            namespace.remove_tree(partial / name)
        keep_seconds(partial / cache.made(layer).name, elapsed())
        partial.rename(place)
    except BaseException:
        namespace.remove_tree(partial)
        raise


def link(file: LockedFile, store: Store, directory: Path) -> None:
    """Gives a file of the store its own name in `directory`, without a copy where the file system allows it."""
    os.link(store.path(file.sha256), directory / file.basename)


def squash(layer: Layer, cache: Cache, level: int) -> Squashfs:
    """Returns the squashfs of a built layer, made now where it is missing."""
    if product := squashed(layer, cache, level):
        return product
    output = cache.squashfs(layer, level)
    output.parent.mkdir(parents=True, exist_ok=True)
    with step(f"squashfs {layer.name}") as elapsed:
        _squash([layer], output, cache, level, f"squashfs-{layer.name}")
        keep_seconds(output.with_suffix(".json"), elapsed())
    return built_squashfs(layer.name, output)


def squash_whole(layer: Layer, cache: Cache, level: int) -> Squashfs:
    """Returns one squashfs of a built layer and all below it, made now where it is missing."""
    chain = layer.chain()
    alone = cache.squashfs(layer, level)
    output = alone.with_name(f"{alone.stem}-whole.squashfs")
    if not output.with_suffix(".json").exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        with step("squashfs of the whole machine"):
            _squash(chain, output, cache, level, "squashfs-whole")
    return built_squashfs("+".join(part.name for part in chain), output)


def confirm(images: Sequence[Squashfs], cache: Cache) -> None:
    """Reads squashfs files again, before they go onto a medium.

    Raises DamagedError where one is not what was made; the next run makes it anew.
    """
    records = {image.path.name: Expected(image.path.name, image.sha256) for image in images}
    problems = compare(records.values(), cache.directory / "squashfs")
    for problem in problems:
        (cache.directory / "squashfs" / problem.path).with_suffix(".json").unlink(missing_ok=True)
    if problems:
        raise DamagedError(cache.directory / "squashfs" / problems[0].path)


def _squash(layers: Sequence[Layer], output: Path, cache: Cache, level: int, log: str) -> None:
    """Makes the squashfs `output` of built layers, bottom first."""
    lowers = [str(cache.rootfs(layer)) for layer in reversed(layers)]
    request = squashfs.Request(str(output), lowers, level, BLOCK, layers[-1].epoch)
    namespace.call("rigforge.layers.squashfs:squash", asdict(request), log=cache.log(log))


def squashed(layer: Layer, cache: Cache, level: int) -> Squashfs | None:
    """Returns the squashfs that `squash` left of a layer, or None."""
    output = cache.squashfs(layer, level)
    return built_squashfs(layer.name, output) if output.with_suffix(".json").exists() else None


def built_in(layer: Layer, cache: Cache) -> float | None:
    """Returns how many seconds a layer took to build, None where it is not there or was built before this was kept."""
    record = cache.made(layer)
    return float(json.loads(record.read_text())["seconds"]) if record.exists() else None


def keep_seconds(facts: Path, seconds: float) -> None:
    """Adds to a JSON file about something made how many seconds that took; the file changes at once or not at all."""
    content = json.loads(facts.read_text()) if facts.exists() else {}
    atomic.write(facts, json.dumps({**content, "seconds": round(seconds, 1)}))


def built_squashfs(layer: str, output: Path) -> Squashfs:
    """Returns a squashfs that is there, by what was kept beside it."""
    return Squashfs(layer, output, **json.loads(output.with_suffix(".json").read_text()))
