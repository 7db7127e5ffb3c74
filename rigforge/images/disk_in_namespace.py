"""What runs as root of the namespace: the raw disk of a machine made, with no loop device and nothing mounted from it.

File systems are filled by the programs that make them, and these are the machine's own, of the lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge import guest
from rigforge.images import disk_boot
from rigforge.installer import boot, partition
from rigforge.installer.storage_section import DiskLayout
from rigforge.layers import own_files, perturbation
from rigforge.layers.root import Root, clean, interfaces, overlay, settle
from rigforge.layers.squashfs import content_bytes
from rigforge.process import run

#: The disk, in the directory of a request.
RAW = "disk.raw"

#: What the first start runs, and its unit, which takes the answers from a seed.
FIRST_START = "rigforge.installer.first_start"
UNIT = "installer/units/rigforge-first-start.service"

SECTOR = 512
GIB = 1 << 30

#: Of the root file system: room to start and to work in until the disk is made larger, besides what ext4 itself takes.
ROOM = 2 * GIB

#: Seen by programs in the root of tools.
CONTENT, DISK = "/run/content", f"/run/disk/{RAW}"


@dataclass(frozen=True)
class Identity:
    """What a disk and its parts are known by: UUIDs, but for `id`, which names its very content, and the number of the
    FAT `volume`."""

    id: str
    table: str
    bios: str
    esp: str
    root: str
    root_filesystem: str
    root_hashes: str
    volume: str


@dataclass(frozen=True)
class Request:
    """A raw disk to make in an empty `directory`, of `lowers`: upper directories of a machine's layers, top first.

    No file is younger than `files_epoch`, and the file systems are made at `epoch`, both seconds since 1970.
    """

    directory: str
    lowers: Sequence[str]
    files_epoch: int
    epoch: int
    identity: Identity


def build(content: dict[str, Any]) -> None:
    """Makes the `RAW` of a `Request`."""
    request = Request(**{**content, "identity": Identity(**content["identity"])})
    directory, lowers = Path(request.directory), [Path(lower) for lower in request.lowers]
    identity, epoch = request.identity, request.epoch
    volumes = describe(identity)
    top = _system(directory, lowers, volumes, identity.id, request.files_epoch)
    with _tools(directory, [top, *lowers], epoch) as tools:
        files = _without_esp(tools.at(CONTENT), epoch)
        start_of = write_table(directory / RAW, identity, content_bytes(tools.at(CONTENT)) * 11 // 10 + ROOM)
        disk_boot.embed(directory / RAW, start_of["rigforge-bios"], tools.at(CONTENT))
        write_esp(directory / RAW, start_of["rigforge-esp"], files, identity.volume, epoch)
        write_root(tools, start_of["rigforge-root"], identity, epoch)


def describe(identity: Identity) -> partition.Volumes:
    """Returns the volumes of the disk, by device names that a machine may or may not have: it mounts them by UUID."""
    volume = identity.volume
    return partition.Volumes(
        "/dev/sda",
        (
            partition.Filesystem("/dev/sda3", "/", "ext4", identity.root_filesystem),
            partition.Filesystem("/dev/sda2", "/boot/efi", "vfat", f"{volume[:4]}-{volume[4:]}"),
        ),
    )


def _system(directory: Path, lowers: list[Path], volumes: partition.Volumes, name: str, epoch: int) -> Path:
    """Returns the upper directory with what a machine has besides its layers, as the installer would have made it."""
    path, upper, work, files = (directory / part for part in ("mounted", "top", "work", "files"))
    for part in (path, upper, work, files):
        part.mkdir()
    grounded = [*lowers, *perturbation.ground()]
    with overlay(path, lowers=grounded, upper=upper, work=work), perturbation.shuffled(path) as view:
        with interfaces(view, files):
            root = Root(view, files, {}, epoch)
            boot.write_tables(view, volumes)
            own_files.add_modules(root, FIRST_START)
            own_files.add_units(root, "installer", Path(UNIT).name)
            disk_boot.install(root, volumes, name)
        clean(view)
    settle(upper, grounded, epoch)
    return upper


@contextmanager
def _tools(directory: Path, lowers: list[Path], epoch: int) -> Iterator[Root]:
    """Yields a root with the machine's programs, in which the finished system is seen at `CONTENT` and the disk at
    `DISK`."""
    path, upper, work = (directory / part for part in ("tools", "tools-top", "tools-work"))
    for part in (path, upper, work):
        part.mkdir()
    with ExitStack() as mounts:
        mounts.enter_context(overlay(path, lowers=[*lowers, *perturbation.ground()], upper=upper, work=work))
        mounts.enter_context(interfaces(path, directory / "files"))
        root = Root(path, directory / "files", {}, epoch)
        content, disk = root.at(CONTENT), root.at(DISK).parent
        for folder in (content, disk):
            folder.mkdir()
        lowerdir = ":".join(map(str, lowers))
        run(["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lowerdir},userxattr", content])
        run(["mount", "--bind", directory, disk])
        yield root


def _without_esp(content: Path, epoch: int) -> dict[str, Path]:
    """Hides the files of the EFI system partition from the root's file system and returns where each is, sorted."""
    esp = guest.resolve(content, "boot/efi")
    mount = content.with_name("esp")
    mount.mkdir()
    run(["mount", "--bind", esp, mount])
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", esp])
    os.utime(esp, (epoch, epoch))
    return {str(path.relative_to(mount)): path for path in sorted(mount.rglob("*"))}


def write_table(disk: Path, identity: Identity, root_bytes: int) -> dict[str, tuple[int, int]]:
    """Makes an empty disk with the installer's partitions; returns where each begins and its size, in bytes, by name.

    The root has at least `root_bytes`; the disk's size is whole GiB.
    """
    partitions = partition.table(DiskLayout("direct"))
    with disk.open("wb") as file:
        # A GiB has room for everything besides the root.
        file.truncate((-(-root_bytes // GIB) + 1) * GIB)
    script = partition.sfdisk_script(partitions).splitlines()
    uuids = (identity.bios, identity.esp, identity.root)
    rows = [f"{row}, uuid={name}" for row, name in zip(script[1:], uuids, strict=True)]
    run(["sfdisk", "--quiet", disk], stdin="\n".join([script[0], f"label-id: {identity.table}", *rows, ""]))
    table = json.loads(run(["sfdisk", "--json", disk]).stdout)["partitiontable"]
    return {row["name"]: (row["start"] * SECTOR, row["size"] * SECTOR) for row in table["partitions"]}


def write_esp(disk: Path, place: tuple[int, int], files: Mapping[str, Path], volume: str, epoch: int) -> None:
    """Makes the file system that firmware reads, with `files` (and folders) by their paths, parents first."""
    start, size = place
    # Sectors a cluster: by itself it takes more for a large disk, and this file system would have too few for FAT32.
    options = ["--invariant", "-F", "32", "-s", "8", "-n", "EFI", "-i", volume, "--offset", str(start // SECTOR)]
    run(["mkfs.vfat", *options, disk, str(size // 1024)])
    dated = {"SOURCE_DATE_EPOCH": str(epoch)}
    for path, source in files.items():
        image = f"{disk}@@{start}"
        copy = ["mmd", "-i", image] if source.is_dir() else ["mcopy", "-i", image, source]
        run([*copy, f"::{path}"], env=dated)


def write_root(tools: Root, place: tuple[int, int], identity: Identity, epoch: int) -> None:
    """Makes the root's file system with everything at `CONTENT`, by the machine's own programs."""
    start, size = place
    options = f"offset={start},hash_seed={identity.root_hashes},root_owner=0:0,lazy_itable_init=1"
    dated = {"E2FSPROGS_FAKE_TIME": str(epoch)}
    mkfs = ["mkfs.ext4", "-q", "-F", "-U", identity.root_filesystem, "-E", options, "-d", CONTENT]
    tools.chroot([*mkfs, DISK, f"{size // 1024}k"], **dated)
    image = f"{DISK}?offset={start}"
    # Of a file the program keeps when this machine last read it, and when its inode was made here.
    header = dict(line.split(":", 1) for line in tools.chroot(["dumpe2fs", "-h", image]).splitlines() if ":" in line)
    count = int(header["Inode count"]) - int(header["Free inodes"])
    inodes = [2, *range(int(header["First inode"]), count + 1)]
    lines = [f"set_inode_field <{inode}> {field} @{epoch}\n" for inode in inodes for field in ("atime", "ctime")]
    tools.write("run/times", "".join(lines))
    tools.chroot(["sh", "-c", 'debugfs -w -f /run/times "$1" >/dev/null', "debugfs", image], **dated)
    tools.chroot(["e2fsck", "-f", "-n", image], **dated)
