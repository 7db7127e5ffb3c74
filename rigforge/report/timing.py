"""How long each step of a build took when it was last made; what came from the cache has the time of its making."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rigforge.artifacts.artifact import Step
from rigforge.layers.build import Cache, built_in, squashed
from rigforge.layers.plan import Layer
from rigforge.records.file import LockedFile
from rigforge.store.store import Store


def steps(layers: Sequence[Layer], cache: Cache, level: int) -> tuple[Step, ...]:
    """Returns the building of each layer that is there, and the making of its squashfs with zstd at `level`."""
    built = [layer for layer in layers if cache.layer(layer).exists()]
    building = [Step(f"layer {layer.name}", built_in(layer, cache)) for layer in built]
    compressed = [(layer, squashed(layer, cache, level)) for layer in built if layer.shipped]
    return (*building, *(Step(f"squashfs {layer.name}", image.seconds) for layer, image in compressed if image))


def of_downloads(files: Iterable[LockedFile], store: Store) -> Step:
    """Returns the fetching of `files`, each when it was last fetched.

    Where a fetch had other files as well, its time counts by the share of bytes.
    """
    sizes = {file.sha256: file.size for file in files}
    count, seconds = len(sizes), 0.0
    for fetch in reversed(store.fetches()):
        of_these = [sizes.pop(sha256) for sha256 in fetch["files"] if sha256 in sizes]
        seconds += fetch["seconds"] * sum(of_these) / sum(fetch["files"].values())
    timed = count - len(sizes)
    return Step(f"fetching {timed} of {count} files" if 0 < timed < count else "fetching", seconds if timed else None)
