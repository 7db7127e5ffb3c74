"""What runs as root of the namespace: one squashfs made, of a layer or of all that it stands on as well."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.process import run
from rigforge.records.checksums import sha256


def squash(request: dict[str, Any]) -> None:
    """Makes the squashfs `output` of the directory `source`, and beside it a .json file with what is known of it.

    `level` is zstd's, `block` the block size, `epoch` (seconds since 1970) the time of the file system itself.
    """
    source, output = Path(request["source"]), Path(request["output"])
    # The memory limit keeps the figure independent of how much the machine has.
    level, epoch = str(request["level"]), str(request["epoch"])
    compression = ["-comp", "zstd", "-Xcompression-level", level, "-b", request["block"], "-mem", "512M"]
    with atomic.making(output) as new:
        run(["mksquashfs", source, new, "-noappend", "-no-progress", "-quiet", "-mkfs-time", epoch, *compression])
        facts = {"sha256": sha256(new), "content_bytes": content_bytes(source)}
    atomic.write(output.with_suffix(".json"), json.dumps(facts))


def squash_whole(request: dict[str, Any]) -> None:
    """Makes it of `lowers`, upper directories of layers, top first; otherwise as `squash`."""
    mounted = Path(request["output"]).with_suffix(".mounted")
    mounted.mkdir(exist_ok=True)
    options = f"lowerdir={':'.join(request['lowers'])},userxattr"
    run(["mount", "-t", "overlay", "overlay", "-o", options, mounted])
    try:
        squash({**request, "source": str(mounted)})
    finally:
        run(["umount", mounted])
        mounted.rmdir()


def content_bytes(source: Path) -> int:
    """Returns how many bytes the files of a tree take on a file system with blocks of 4 KiB, each inode once."""
    taken: dict[int, int] = {}
    for directory, names, files in os.walk(source):
        for name in (*names, *files):
            status = Path(directory, name).lstat()
            taken[status.st_ino] = disk_bytes(status)
    return sum(taken.values())


def disk_bytes(status: os.stat_result) -> int:
    """Returns how many bytes a file takes in blocks of 4 KiB; a directory takes one block.

    Its own size would tell what was once in it as well, and so differ between two builds of the same layer.
    """
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return 4096 * max(1, -(-size // 4096))
