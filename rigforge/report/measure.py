"""Which package every byte of a layer belongs to. Runs inside the namespace, whose root may read all directories."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from rigforge.foreign import leaving_out
from rigforge.layers.squashfs import disk_bytes

#: A package's kind and name, as a lock has them.
Owner = tuple[str, str]

#: What no package brought: made while the layer was built, such as the initramfs.
NOBODY: Owner = ("", "")

#: Directories that are links into /usr where it is merged; packages of that time still name them.
MERGED = {"bin", "lib", "lib32", "lib64", "libx32", "sbin"}


@dataclass(frozen=True)
class Request:
    """Layers to measure, and the JSON file `output` for it; places are paths as text.

    `layers` are pairs of a name and an upper directory, bottom first; `site_packages` is where wheels are installed.
    """

    layers: Sequence[tuple[str, str]]
    site_packages: str
    output: str


def measure(content: dict[str, Any]) -> None:
    """Measures the layers of a `Request`; runs in the namespace.

    Writes a list of [kind, name, bytes] by the name of each layer.
    """
    request = Request(**content)
    owners: dict[str, Owner] = {}
    packages = {}
    for name, directory in request.layers:
        root = Path(directory)
        owners |= owned_by_debs(root) | owned_by_wheels(root, request.site_packages.lstrip("/"))
        owners |= owned_by_conda(root)
        packages[name] = [[*owner, size] for owner, size in sizes(root, owners).items()]
    Path(request.output).write_text(json.dumps(packages))


def owned_by_debs(root: Path) -> dict[str, Owner]:
    """Returns the owner of each path (without a leading slash) by dpkg's lists in an upper directory."""
    owners = {}
    for listing in sorted((root / "var/lib/dpkg/info").glob("*.list")):
        owner = ("deb", listing.stem.partition(":")[0])
        with leaving_out(listing):
            for line in listing.read_text(errors="surrogateescape").splitlines():
                owners[_merged(line.lstrip("/"))] = owner
    return owners


def owned_by_wheels(root: Path, site_packages: str) -> dict[str, Owner]:
    """Returns the owner of each path (without a leading slash) by the RECORD files in an upper directory."""
    owners = {}
    for record in sorted((root / site_packages).glob("*.dist-info/RECORD")):
        owner = ("wheel", str(canonicalize_name(record.parent.name.partition("-")[0])))
        with leaving_out(record), record.open(newline="", errors="surrogateescape") as file:
            for row in filter(None, csv.reader(file)):
                owners[os.path.normpath(os.path.join(site_packages, row[0]))] = owner  # noqa: PTH118
    return owners


def owned_by_conda(root: Path) -> dict[str, Owner]:
    """Returns the owner of each path (without a leading slash) by conda-meta in an upper directory."""
    owners: dict[str, Owner] = {}
    for record in sorted((root / "opt/conda").glob("**/conda-meta/*.json")):
        with leaving_out(record):
            prefix, entry = record.parent.parent.relative_to(root), json.loads(record.read_text(encoding="utf-8"))
            owner = ("conda", str(entry["name"]))
            owners |= {str(prefix / file): owner for file in (*entry["files"], record.relative_to(root / prefix))}
    return owners


def sizes(root: Path, owners: Mapping[str, Owner]) -> dict[Owner, int]:
    """Returns the bytes of each owner in an upper directory; in sum what `content_bytes` counts for a squashfs.

    Bytecode belongs to its source's owner, and a directory to the one that all in it belongs to.
    """
    bytes_of: Counter[Owner] = Counter()
    counted: set[int] = set()
    of_directories: dict[str, Owner] = {}
    for directory, names, files in os.walk(root, topdown=False):
        within = set()
        for name in (*files, *names):
            path = f"{directory}/{name}"
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                owner = of_directories.pop(path)
            else:
                owner = owners.get(_source(os.path.relpath(path, root)), NOBODY)
            within.add(owner)
            if status.st_ino not in counted:
                counted.add(status.st_ino)
                bytes_of[owner] += disk_bytes(status)
        of_directories[directory] = within.pop() if len(within) == 1 else NOBODY
    return dict(bytes_of)


def _merged(path: str) -> str:
    return f"usr/{path}" if path.partition("/")[0] in MERGED else path


def _source(path: str) -> str:
    """Returns the path of the source that a file of bytecode is of, any other path as it is."""
    try:
        return importlib.util.source_from_cache(path)
    except ValueError:
        return path
