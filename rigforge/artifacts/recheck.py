"""What earlier builds have left, read again as `--check` asks for: nothing is believed by its size and times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rigforge.console import warn
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer
from rigforge.records.checksums import parse
from rigforge.sources.mirrors import Mirrors
from rigforge.store.comparison import Expected, compare
from rigforge.store.store import Store


def read_again(layers: Sequence[Layer], cache: Cache, mirrors: Mirrors, *, offline: bool) -> None:
    """Reads the files of these layers in the store, and all squashfs files and tars of the cache.

    What is damaged is named; of the store it is fetched again, the rest is made again by the build that follows.
    Raises RigforgeError as Store.fetch.
    """
    store = Store(cache.directory / "store")
    store.confirm([file for layer in layers for file in layer.files if store.has(file)], mirrors, offline=offline)
    facts = {
        str(file.relative_to(cache.directory)): file.with_suffix(".json")
        for pattern in ("squashfs/*.squashfs", "blobs/*.tar")
        for file in cache.directory.glob(pattern)
        if file.with_suffix(".json").exists()
    }
    for path in damaged([Expected(path, _sha256(file)) for path, file in facts.items()], cache.directory):
        facts[path].unlink()


def is_whole(file: Path, checksums: Path) -> bool:
    """Says whether a file has the bytes that its checksum file names; names it where it has not."""
    sums = parse(checksums.read_text(encoding="utf-8", errors="replace")) if checksums.is_file() else {}
    return file.name in sums and not damaged([Expected(file.name, sums[file.name])], file.parent)


def damaged(expected: Sequence[Expected], directory: Path) -> list[str]:
    """Returns the paths of files that are not as they should be, and names each to the user."""
    problems = compare(expected, directory)
    for problem in problems:
        warn(f"{directory / problem.path} {problem.reason}; it is made again")
    return [problem.path for problem in problems]


def _sha256(facts: Path) -> str:
    content = json.loads(facts.read_text())
    return str(content.get("sha256") or content["digest"].removeprefix("sha256:"))
