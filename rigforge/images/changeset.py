"""A layer's upper directory as OCI images have it: a tar in which a whiteout is a file named `.wh.NAME`."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.images import blob

WHITEOUT = ".wh."


@dataclass(frozen=True)
class Request:
    """A blob to write: the tree `source`, the blob `output`, both paths as text, and the name of its compression."""

    source: str
    output: str
    compression: str


def pack(content: dict[str, Any]) -> None:
    """Writes the blob of a `Request`; runs in the namespace.

    The same tree gives the same bytes, on every machine.
    """
    request = Request(**content)
    source = Path(request.source)
    first: dict[int, str] = {}
    with blob.create(Path(request.output), request.compression) as tar:
        for path in _walk(source):
            _add(tar, path, str(path.relative_to(source)), first)


def entry(name: str, status: os.stat_result) -> tarfile.TarInfo:
    """Returns the tar entry of a file, without type and content."""
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(status.st_mode)
    member.uid, member.gid = status.st_uid, status.st_gid
    member.mtime = int(status.st_mtime)
    return member


def _walk(source: Path) -> Iterator[Path]:
    """Yields everything below `source`, in the order of the names, a directory before what is in it."""
    for path in sorted(source.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _add(tar: tarfile.TarFile, path: Path, name: str, first: dict[int, str]) -> None:
    """Adds one path; `first` has the inodes with several names that are in the tar already."""
    status = path.lstat()
    member = entry(name, status)
    if stat.S_ISCHR(status.st_mode):
        if status.st_rdev != 0:
            raise ValueError(f"{path}: a layer holds no devices")
        member.name = f"{name.removesuffix(path.name)}{WHITEOUT}{path.name}"
        tar.addfile(member)
        return
    member.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in _attributes(path)}
    if stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: neither file, directory nor link")
    elif status.st_nlink > 1 and status.st_ino in first:
        member.type, member.linkname = tarfile.LNKTYPE, first[status.st_ino]
    else:
        first[status.st_ino] = name
        member.size = status.st_size
        with path.open("rb") as file:
            tar.addfile(member, file)
        return
    tar.addfile(member)


def _attributes(path: Path) -> Iterator[tuple[str, str]]:
    for key in sorted(os.listxattr(path, follow_symlinks=False)):
        # tarfile takes text, and gives these bytes back as they were.
        yield key, os.getxattr(path, key, follow_symlinks=False).decode("utf-8", "surrogateescape")
