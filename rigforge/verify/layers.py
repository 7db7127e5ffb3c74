"""The tree that the layers on an ISO make, read from their squashfs files without mounting them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.process import CommandFailed, run

#: A line of `unsquashfs -lln`: kind and mode, owner, size or a device's numbers, day, time, path, a link's target.
_LINE = re.compile(r"(?P<kind>.)\S{9} \S+ +(\d+|\d+, *\d+) \S+ \S+ (?P<path>/.+?)(?: -> .*)?")


@dataclass(frozen=True)
class Tree:
    """What is seen of layers that are mounted over each other; paths are relative to the root.

    `files` has for each the place in `image` (bytes) at which the squashfs begins that shows it.
    """

    image: Path
    files: Mapping[str, int]
    directories: Set[str]

    def extract(self, wanted: Callable[[str], bool], folder: Path) -> None:
        """Puts files into a folder, under their own paths. Raises CommandFailed."""
        for start in sorted(set(self.files.values())):
            paths = [path for path, place in self.files.items() if place == start and wanted(path)]
            if paths:
                command = ["unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-no-wildcards", "-force"]
                run([*command, "-dest", folder, "-offset", str(start), self.image, *paths])


def read(image: Path, starts: Mapping[str, int]) -> Tree:
    """Reads the tree of layers, bottom first; `starts` has the place (bytes) of each squashfs by its name.

    Raises RigforgeError with the name of one that is no squashfs.
    """
    entries: dict[str, tuple[str, int]] = {}
    for name, start in starts.items():
        try:
            listing = run(["unsquashfs", "-no-progress", "-offset", str(start), "-lln", "-dest", "", image]).stdout
        except CommandFailed as error:
            raise RigforgeError(f"{name} cannot be read: {error.output.strip().splitlines()[-1]}") from error
        kinds = {match["path"]: match["kind"] for match in map(_LINE.fullmatch, listing.splitlines()) if match}
        # What is no directory hides what was below it; a device is a whiteout, and nothing else (overlayfs).
        hiding = {path for path, kind in kinds.items() if kind != "d"}
        entries = {path: entry for path, entry in entries.items() if hiding.isdisjoint(_upwards(path))}
        entries |= {path: (kind, start) for path, kind in kinds.items() if kind in "d-l"}
    files = {path.lstrip("/"): start for path, (kind, start) in entries.items() if kind != "d"}
    return Tree(image, files, {path.lstrip("/") for path, (kind, _) in entries.items() if kind == "d"})


def _upwards(path: str) -> Iterator[str]:
    """Yields a path and those of the folders that it is in."""
    while path:
        yield path
        path = path.rpartition("/")[0]
