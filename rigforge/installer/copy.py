"""Copying the medium's layers to the disk, and comparing what was written with them.

unsquashfs unpacks with all processors, and so takes a third of the time of tar or cp from the mounted layers.
It knows nothing of overlays, though: what an upper layer says of those below it is done here. Source: the kernel's
Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rigforge.installer.command import output_of, run
from rigforge.installer.errors import InstallError
from rigforge.installer.mounts import mounted

#: Where live-boot has mounted the medium's layers, each at its file name.
LIVE_ROOTFS = Path("/run/live/rootfs")

#: Extended attributes by which overlayfs keeps its own notes; in a user namespace it takes the second.
NOTES = ("trusted.overlay.", "user.overlay.")

#: Bytes compared at a time.
CHUNK = 1 << 20

#: How many differing files are named.
NAMED = 10

#: MiB that unsquashfs may use for each of its two caches; of itself it takes a quarter of the memory.
CACHE = "64"


@dataclass(frozen=True)
class MediumLayer:
    """A squashfs file and where it is mounted."""

    file: Path
    mount: Path


@dataclass
class Notes:
    """What a layer says of those below it, as paths relative to the root."""

    #: Each folder, before what is in it.
    folders: list[str] = field(default_factory=list)
    #: Everything else: it hides whatever a lower layer has there.
    covers: list[str] = field(default_factory=list)
    #: That stand only for the absence of something.
    whiteouts: list[str] = field(default_factory=list)
    #: Folders of which a lower layer's content is hidden.
    opaque: list[str] = field(default_factory=list)
    #: With overlayfs' own extended attributes, and the names of these.
    attributes: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def mounted_layers(
    names: Sequence[str], folder: Path, run_folder: Path, live: Path = LIVE_ROOTFS
) -> Iterator[list[MediumLayer]]:
    """Yields the layers of these file names in `folder`, each mounted: by the live system, or for now."""
    with ExitStack() as stack:
        layers = []
        for name in names:
            mount = live / name
            if not mount.is_mount():
                where = run_folder / "layers" / name
                mount = stack.enter_context(mounted("--options", "ro,loop", folder / name, at=where))
            layers.append(MediumLayer(folder / name, mount))
        yield layers


def copy(layers: Sequence[MediumLayer], target: Path, progress: Callable[[int], None]) -> None:
    """Unpacks the layers, bottom first, such that `target` is what their overlay shows: owners, times, links,
    extended attributes and all. `progress` is told how many bytes the file system holds."""

    def watch(_process: int) -> None:
        state = os.statvfs(target)
        progress((state.f_blocks - state.f_bfree) * state.f_frsize)

    for number, layer in enumerate(layers):
        # There is nothing below the first.
        notes = read_notes(layer.mount) if number else Notes()
        make_way(target, notes)
        caches = ["-data-queue", CACHE, "-frag-queue", CACHE]
        run(["unsquashfs", "-quiet", "-no-progress", *caches, "-force", "-dest", target, layer.file], watch=watch)
        forget_notes(target, layer.mount, notes)


def forget_notes(target: Path, layer: Path, notes: Notes) -> None:
    """Removes below `target` what was unpacked but is a note of overlayfs, no file or attribute of the system."""
    for path in notes.whiteouts:
        (target / path).unlink()
    for folder in {os.path.dirname(path) for path in notes.whiteouts}:  # noqa: PTH120
        # It got a new time just now.
        status = (layer / folder).stat()
        os.utime(target / folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    for path, name in notes.attributes:
        os.removexattr(target / path, name, follow_symlinks=False)


def read_notes(layer: Path) -> Notes:
    """Returns what the layer mounted at `layer` says of those below it."""
    notes = Notes()
    pending = ["."]
    while pending:
        folder = pending.pop()
        notes.folders.append(folder)
        _read_attributes(layer, folder, notes)
        with os.scandir(layer / folder) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)  # noqa: PTH118 (a hundred thousand of them)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                    continue
                notes.covers.append(path)
                if entry.is_file(follow_symlinks=False):
                    _read_attributes(layer, path, notes)
                elif not entry.is_symlink() and is_whiteout(entry.stat(follow_symlinks=False)):
                    notes.whiteouts.append(path)
    return notes


def _read_attributes(layer: Path, path: str, notes: Notes) -> None:
    for name in _attributes(layer / path):
        if name.startswith(NOTES):
            notes.attributes.append((path, name))
            if name.endswith(".opaque"):
                notes.opaque.append(path)


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        # A squashfs in which no file has any attribute answers every question for them like this.
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise


def is_whiteout(status: os.stat_result) -> bool:
    """Returns whether it is the character device 0:0, which hides a lower layer's entry."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def make_way(target: Path, notes: Notes) -> None:
    """Removes below `target` what the layer hides or replaces. unsquashfs would write through links that are there."""
    for path in notes.folders:
        if not stat.S_ISDIR(_mode(target / path)):
            _remove(target / path)
    for path in notes.opaque:
        shutil.rmtree(target / path, ignore_errors=True)
    for path in notes.covers:
        _remove(target / path)


def _mode(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.lstat().st_mode
    return 0


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        shutil.rmtree(path)


@contextmanager
def union(layers: Sequence[MediumLayer], run_folder: Path) -> Iterator[Path]:
    """Mounts the overlay of the layers read-only and yields where it is.

    Unlike the live system's root it has neither the installer's own layer nor what the running system wrote.
    """
    if len(layers) == 1:
        yield layers[0].mount
        return
    options = "ro,lowerdir=" + ":".join(str(layer.mount) for layer in reversed(layers))
    with mounted("--types", "overlay", "--options", options, "overlay", at=run_folder / "source") as where:
        yield where


def write_out(folder: Path) -> None:
    """Waits until a folder's file system is on the disk. Raises InstallError where the disk did not take it."""
    if run(["sync", "--file-system", folder], check=False):
        raise InstallError(
            "the disk did not take all that was written to it",
            "it may be failing, or its cable: look at the kernel's messages (dmesg), or take another disk",
        )


def compare(source: Path, target: Path) -> None:
    """Compares the names, types, sizes, times, owners, links and attributes of all files, and the content of /boot.

    `target` is as `copy` left it. Raises InstallError naming the first files that differ.
    """
    options = ["--archive", "--hard-links", "--acls", "--xattrs", "--dry-run", "--delete", "--itemize-changes"]
    options += ["--exclude=lost+found/", "--no-inc-recursive"]
    differing = output_of(["rsync", *options, f"{source}/", f"{target}/"]).splitlines()
    differing += [f"content  {path}" for path in differing_content(source / "boot", target / "boot")]
    if differing:
        more = [f"  … and {len(differing) - NAMED} more"] if len(differing) > NAMED else []
        lines = ["what was written differs from the medium:", *(f"  {line}" for line in differing[:NAMED]), *more]
        raise InstallError("\n".join(lines), "the disk or the memory of this machine may be failing")


def differing_content(source: Path, target: Path) -> list[str]:
    """Returns the files below `source` of which `target` has other bytes, read from the disk and not from memory."""
    files = [file for file in sorted(source.rglob("*")) if file.is_file() and not file.is_symlink()]
    paths = [str(file.relative_to(source)) for file in files]
    return [path for path in paths if not _same_content(source / path, target / path)]


def _same_content(source: Path, target: Path) -> bool:
    with source.open("rb") as expected, target.open("rb") as written:
        os.fsync(written.fileno())
        os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := expected.read(CHUNK):
            if written.read(CHUNK) != chunk:
                return False
        return not written.read(1)
