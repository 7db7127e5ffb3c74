"""What is compared of two builds: their files and the parts of their artifacts, by name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from rigforge import artifacts
from rigforge.records import checksums


def digests(directory: Path) -> dict[str, str]:
    """Returns the sha256 (hex) of every artifact below a directory of results.

    They are its files (`rigforge-smoke.iso`), the files on its ISO (`rigforge-smoke.iso:live/base.squashfs`) and the
    parts of the images in its OCI layouts (`images/smoke:base`, `images/smoke:base/layer-1`).
    """
    sums: dict[str, str] = {}
    folders: set[Path] = set()
    for path in sorted(directory.rglob("*")):
        if path.name.startswith(".") or not folders.isdisjoint(path.parents):
            continue
        name, artifact = str(path.relative_to(directory)), artifacts.at(path)
        if path.is_file():
            sums[name] = checksums.sha256(path)
        elif artifact:
            folders.add(path)
        if artifact:
            sums |= {f"{name}:{member}": digest for member, digest in artifact.members(path).items()}
    return dict(sorted(sums.items()))


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Returns the names of the artifacts that are not the same in both, or only in one."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def innermost(names: list[str]) -> list[str]:
    """Returns those of `names` that say most: a file of an ISO rather than the ISO.

    >>> innermost(["a.iso", "a.iso:live/base.squashfs", "b.json"])
    ['a.iso:live/base.squashfs', 'b.json']
    """
    return [name for name in names if not any(other.startswith((f"{name}:", f"{name}/")) for other in names)]


def extract(directory: Path, name: str, target: Path) -> Path | None:
    """Puts the artifact `name` of `directory` into the file `target`; returns that, or None where there is none."""
    place, _, member = name.partition(":")
    path = directory / place
    if member:
        artifact = artifacts.at(path)
        return target if artifact and artifact.extract(path, member, target) else None
    if not path.exists():
        return None
    shutil.copyfile(path, target)
    return target
