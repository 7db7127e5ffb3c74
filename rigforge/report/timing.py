"""How long each step of a build took when it was last made; what came from the cache has the time of its making."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rigforge.layers.build import Cache, built_in, squashed
from rigforge.layers.plan import Layer
from rigforge.records.file import LockedFile
from rigforge.store.store import Store


@dataclass(frozen=True)
class Step:
    """A step, as the build itself names it; `seconds` is None where it was not measured."""

    name: str
    seconds: float | None


def steps(layers: Sequence[Layer], cache: Cache, level: int) -> tuple[Step, ...]:
    """Returns the building of each layer that is there, and the making of its squashfs with zstd at `level`."""
    there = [layer for layer in layers if cache.layer(layer).exists()]
    made = [Step(f"layer {layer.name}", built_in(layer, cache)) for layer in there]
    compressed = [(layer, squashed(layer, cache, level)) for layer in there if layer.shipped]
    return (*made, *(Step(f"squashfs {layer.name}", found.seconds) for layer, found in compressed if found))


def of_downloads(files: Iterable[LockedFile], store: Store) -> Step:
    """Returns the fetching of `files`, each when it was last fetched.

    Where a fetch had other files as well, its time counts by the share of bytes.
    """
    wanted = {file.sha256: file.size for file in files}
    count, seconds = len(wanted), 0.0
    for fetch in reversed(store.fetches()):
        of_these = [wanted.pop(sha256) for sha256 in fetch["files"] if sha256 in wanted]
        seconds += fetch["seconds"] * sum(of_these) / sum(fetch["files"].values())
    known = count - len(wanted)
    return Step(f"fetching {known} of {count} files" if 0 < known < count else "fetching", seconds if known else None)


def of_blobs(directory: Path) -> dict[str, float]:
    """Returns the seconds that blobs in the cache's directory of blobs took, by their digests, as far as measured."""
    facts = [json.loads(file.read_text()) for file in sorted(directory.glob("*.json")) if _is_of_a_blob(file)]
    return {fact["digest"]: fact["seconds"] for fact in facts if "seconds" in fact}


def _is_of_a_blob(file: Path) -> bool:
    return not file.name.startswith(".") and not file.name.endswith(".config.json")
