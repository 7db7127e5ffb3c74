"""What a build has ahead of it: layers to make, files to download and from whom, room on the disk, and time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rigforge import paths
from rigforge.artifacts.artifact import Artifact, Product
from rigforge.errors import RigforgeError
from rigforge.layers.build import Cache, missing
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock
from rigforge.records.file import LockedFile
from rigforge.sources import answers
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.store import Store

#: Bytes that a package's bytes become: unpacked in a layer, and compressed again in a squashfs, a tar or an ISO.
#: Measured: debian-12's 4.9 GB of packages are 9.9 GB of layers and an ISO of 4.8 GB (README, "What is in it").
UNPACKED, PACKED = 2.0, 1.0


@dataclass(frozen=True)
class Ahead:
    """The work of a build: `layers` to make, `downloads` that the store lacks.

    `made` is the size in bytes, roughly, of the layers and their compressed files in the state directory, `result` that
    of the ISO or the layout; 0 where there is nothing to make. `seconds` is None where no earlier build says it.
    """

    layers: tuple[Layer, ...]
    downloads: tuple[LockedFile, ...]
    made: int
    result: int
    seconds: float | None

    @property
    def download(self) -> int:
        """The bytes to download."""
        return sum(file.size for file in self.downloads)


def of(artifact: Artifact[Product], stack: Stack, lock: Lock, out: Path | None = None) -> Ahead:
    """Returns what the making of an artifact takes in the folder `out`, beside what is there until it is whole.

    An artifact that is a folder takes nothing more than the cache: its blobs are linked.
    """
    layers, files = artifact.layers(stack, lock), artifact.files(lock)
    shipped_size = sum(file.size for layer in layers if layer.shipped for file in layer.files)
    ahead = _ahead(layers, files, int(shipped_size * PACKED) + sum(file.size for file in files))
    unchanged = out and not ahead.layers and artifact.path(stack.name, out).exists()
    return replace(ahead, result=0) if artifact.index or unchanged else ahead


def downloads(artifact: Artifact[Product], stack: Stack, lock: Lock) -> tuple[LockedFile, ...]:
    """Returns the files that the making of an artifact takes and the store lacks."""
    return _lacking(missing(artifact.layers(stack, lock), Cache(paths.home())), artifact.files(lock))


def check(files: Iterable[LockedFile], mirrors: Mirrors) -> None:
    """Checks that each archive that `files` come from answers. Raises RigforgeError that names those that do not."""
    answers.check(answers.places(files, mirrors), mirrors)


def check_disk(ahead: Ahead, out: Path) -> None:
    """Checks that there is room for what is downloaded and made in the state directory, and for the result in `out`.

    Raises RigforgeError that names the folder whose disk is too small, what is needed and what is free.
    """
    demands = [(paths.home(), ahead.download + ahead.made, "RIGFORGE_HOME"), (out, ahead.result, "--out")]
    by_disk: dict[int, list[tuple[Path, int, str]]] = {}
    for folder, size, option in demands:
        by_disk.setdefault(_existing(folder).stat().st_dev, []).append((folder, size, option))
    for disk in by_disk.values():
        needed_bytes, free_bytes = sum(size for _, size, _ in disk), shutil.disk_usage(_existing(disk[0][0])).free
        if needed_bytes > free_bytes:
            folders = " and ".join(str(folder) for folder, _, _ in disk)
            raise RigforgeError(
                f"too little disk for {folders}: about {gigabytes(needed_bytes)} are needed, "
                f"{gigabytes(free_bytes)} are free",
                f"make room, or name a folder on a larger disk with {' or '.join(option for _, _, option in disk)}",
            )


def summary(ahead: Ahead) -> str:
    """Returns in one line what is downloaded, what it takes on the disk, and about how long."""
    if not ahead.layers and not ahead.downloads and not ahead.result:
        return "Nothing to download, all layers are there"
    cores = len(os.sched_getaffinity(0))
    processor = f"{cores} core{'s' if cores > 1 else ''}"
    no_estimate = "how long it takes is not known before the first build here"
    estimate = f"about {_minutes(ahead.seconds)}, going by earlier builds" if ahead.seconds is not None else no_estimate
    disk = ahead.download + ahead.made + ahead.result
    return (
        f"To download: {gigabytes(ahead.download)}; on the disk: about {gigabytes(disk)}; "
        f"layers to make: {len(ahead.layers)}, on {processor}: {estimate}"
    )


def gigabytes(size: int) -> str:
    """Returns a number of bytes as people say it."""
    return f"{size / 1e9:.1f} GB" if size >= 5e7 or not size else f"{size / 1e6:.0f} MB"


def _ahead(layers: Sequence[Layer], base: Iterable[LockedFile], result: int) -> Ahead:
    cache = Cache(paths.home())
    store = Store(cache.directory / "store")
    new_layers = missing(layers, cache)
    lacking = _lacking(new_layers, base)
    packages_size = sum(file.size for layer in new_layers for file in layer.files)
    compressed_size = sum(file.size for layer in new_layers if layer.shipped for file in layer.files)
    built_size = int(packages_size * UNPACKED + compressed_size * PACKED)
    return Ahead(new_layers, lacking, built_size, result, _seconds(new_layers, lacking, cache, store))


def _lacking(layers: Sequence[Layer], base: Iterable[LockedFile]) -> tuple[LockedFile, ...]:
    files = [*base, *(file for layer in layers for file in layer.files)]
    return tuple(Store(paths.home() / "store").missing(files))


def _seconds(layers: Sequence[Layer], downloads: Sequence[LockedFile], cache: Cache, store: Store) -> float | None:
    """Returns how long it takes, going by earlier downloads and layers on this machine; None where there are none."""
    seconds = 0.0
    if layers:
        patterns = ("layers/[!.]*/made.json", "squashfs/*.json")
        times = [*_times(file for pattern in patterns for file in cache.directory.glob(pattern))]
        fetched_bytes = sum(size for fetch in store.fetches() for size in fetch["files"].values())
        if not times or not fetched_bytes:
            return None
        seconds += sum(times) / fetched_bytes * sum(file.size for layer in layers for file in layer.files)
    if downloads:
        fetches = store.fetches()
        fetch_seconds = sum(fetch["seconds"] for fetch in fetches)
        fetched_bytes = sum(size for fetch in fetches for size in fetch["files"].values())
        if not fetched_bytes:
            return None
        seconds += fetch_seconds / fetched_bytes * sum(file.size for file in downloads)
    return seconds


def _times(files: Iterable[Path]) -> Iterator[float]:
    """Yields how long each of what is in the cache took to make, in seconds; another build may take some away."""
    for file in files:
        with suppress(FileNotFoundError):
            facts = json.loads(file.read_text())
            if "seconds" in facts:
                yield facts["seconds"]


def _minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} minutes" if seconds >= 90 else f"{max(1, round(seconds))} seconds"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
