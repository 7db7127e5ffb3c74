"""The artifacts of a build, by name, with the digest of each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rigforge.images import iso, oci
from rigforge.records import checksums

#: What a medium says of its own files, in the format of sha256sum.
_SUMS = "SHA256SUMS"


def digests(directory: Path) -> dict[str, str]:
    """Returns the sha256 (hex) of every artifact below a directory of results.

    They are its files (`rigforge-smoke.iso`), the files on its ISO (`rigforge-smoke.iso:live/base.squashfs`) and the
    parts of the images in its OCI layouts (`images/smoke:base`, `images/smoke:base/layer-1`).
    """
    found: dict[str, str] = {}
    for file in sorted(directory.rglob("*")):
        name = str(file.relative_to(directory))
        if file.name.startswith(".") or not file.is_file() or _layout(file):
            continue
        found[name] = checksums.sha256(file)
        if file.suffix == ".iso":
            found |= {f"{name}:{member}": digest for member, digest in _members(file).items()}
    for layout in sorted(file.parent for file in directory.rglob("oci-layout")):
        found |= _images(layout, str(layout.relative_to(directory)))
    return dict(sorted(found.items()))


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
    if path.suffix == ".iso" and member:
        return target if iso.extract(path, member, target) else None
    if member:
        path = oci.blob_path(path, f"sha256:{_images(path, place).get(name)}")
    if not path.exists():
        return None
    shutil.copyfile(path, target)
    return target


def _layout(file: Path) -> bool:
    return any((parent / "oci-layout").exists() for parent in file.parents)


def _members(image: Path) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        sums = Path(directory) / _SUMS
        return checksums.parse(sums.read_text()) if iso.extract(image, _SUMS, sums) else {}


def _images(layout: Path, place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for descriptor in oci.read_index(layout):
        name = f"{place}:{descriptor['annotations'][oci.TAG]}"
        manifest = oci.read_blob(layout, descriptor["digest"])
        found[name] = _hex(descriptor["digest"])
        found[f"{name}/config"] = _hex(manifest["config"]["digest"])
        for number, layer in enumerate(manifest["layers"], 1):
            found[f"{name}/layer-{number}"] = _hex(layer["digest"])
    return found


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
