"""cloud-init's own schema of user-data, as a package of it has it: nothing of the package is run or installed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.version import Version

from rigforge import paths
from rigforge.errors import RigforgeError
from rigforge.lock import model
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.store.store import Store

_SCHEMA = "config/schemas/schema-cloud-config-v1.json"
_IN_A_DEB = f"usr/lib/python3/dist-packages/cloudinit/{_SCHEMA}"

#: Where systems keep the modules of their own Python, below the root.
_MODULES = ("usr/lib/python3/dist-packages", "usr/lib/python3*/site-packages")

#: From 26.1 on Ubuntu's files are in cloud-init-base, and cloud-init is only a name.
_NAMES = ("cloud-init-base", "cloud-init")


@dataclass(frozen=True, eq=False)
class Package:
    """A cloud-init: `version` is upstream's, such as 25.3; `schema` is its JSON Schema of cloud-config."""

    version: Version
    schema: dict[str, Any]


@cache
def find(wanted: Version, oldest: Version, *, offline: bool = False, root: Path = Path("/")) -> Package | None:
    """Returns a cloud-init that is at hand, or None.

    That is the one in a stack's lock, if its file has been downloaded, of several the one of version `wanted`, else
    the newest; else the one of this system, whose files begin at `root`; else the lock's, which is downloaded unless
    `offline`. None is older than `oldest`. A second call gives the same.
    """
    store = Store(paths.home() / "store")
    by_version = sorted(_locked(oldest), key=lambda file: _upstream(file.version), reverse=True)
    files = sorted(by_version, key=lambda file: _upstream(file.version) != wanted)
    for file in filter(store.has, files):
        if package := _of_deb(store.path(file.sha256), file.version):
            return package
    for place in (path for modules in _MODULES for path in sorted(root.glob(f"{modules}/cloudinit"))):
        if (package := _installed(place)) and package.version >= oldest:
            return package
    return None if offline else _downloaded(files, store)


def _locked(oldest: Version) -> Iterator[LockedFile]:
    """Yields the cloud-init of every lock there is, each file once."""
    digests = set()
    stacks = paths.SHARE / "stacks"
    for path in sorted({*stacks.glob("*.lock"), *map(paths.lock, stacks.glob("*.toml"))}):
        try:
            files = model.read(path).files
        except RigforgeError:  # Building that stack says what is wrong with it.
            continue
        for file in files:
            if file.name in _NAMES and file.sha256 not in digests and _upstream(file.version) >= oldest:
                digests.add(file.sha256)
                yield file


def _upstream(version: str) -> Version:
    """Returns upstream's part of a Debian version: 25.3 of 25.3-0ubuntu1~24.04.1."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return Version(match[1] if match else "0")


def _of_deb(path: Path, version: str) -> Package | None:
    # It takes longer to import than the other checks together.
    from debian.arfile import ArError
    from debian.debfile import DebError, DebFile

    try:
        with path.open("rb") as file:
            data = DebFile(fileobj=file).data
            content = data.get_content(_IN_A_DEB) if data.has_file(_IN_A_DEB) else None
        return Package(_upstream(version), json.loads(content)) if content else None
    except (ArError, DebError, OSError, ValueError):
        return None


def _installed(modules: Path) -> Package | None:
    """Returns the cloud-init of a folder of Python's modules; its version is in version.py, or what meson wrote."""
    try:
        texts = [file.read_text() for file in (modules / "version.py", modules / "meson_versions.py") if file.exists()]
        version = re.search(r'^(?:__|UPSTREAM_)VERSION(?:__)? = "(\d+(?:\.\d+)*)', "\n".join(texts), re.MULTILINE)
        schema = json.loads((modules / _SCHEMA).read_text())
    except (OSError, ValueError):
        return None
    return Package(Version(version[1]), schema) if version else None


def _downloaded(files: list[LockedFile], store: Store) -> Package | None:
    for file in files:
        try:
            store.fetch([file], Mirrors.from_environment())
        except RigforgeError:  # Not every archive of every stack can be had from everywhere.
            continue
        if package := _of_deb(store.path(file.sha256), file.version):
            return package
    return None
