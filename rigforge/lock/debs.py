"""The Debian packages of a layer: what apt resolves on top of the layers below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rigforge.records.file import LockedFile
from rigforge.sources.apt import Root


def resolve(
    root: Root, layer: str, wishes: Mapping[str, str], lower_packages: Iterable[LockedFile] = ()
) -> tuple[LockedFile, ...]:
    """Returns what `layer` needs on top of `lower_packages`, those of the layers below it.

    `wishes` has package names and, for messages, the stack's key that asks for each.

    Raises RigforgeError where a package does not exist, or they cannot be installed together.
    """
    debs = root.resolve(f"layer {layer}", wishes, {file.name: file.version for file in lower_packages})
    return tuple(LockedFile(layer, "deb", deb.name, deb.version, deb.file, deb.size, deb.sha256) for deb in debs)
