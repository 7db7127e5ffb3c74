"""What runs as root of the namespace: one squashfs made, of a layer or of all that it stands on as well."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.process import run
from rigforge.records.checksums import sha256


@dataclass(frozen=True)
class Request:
    """A squashfs to make at `output`; places are paths as text.

    `lowers` are the upper directories of the layers that it is to hold, top first. `level` is zstd's, `block` the block
    size, `epoch` (seconds since 1970) the time of the file system itself.
    """

    output: str
    lowers: Sequence[str]
    level: int
    block: str
    epoch: int


def squash(content: dict[str, Any]) -> None:
    """Makes the squashfs of a `Request`, and beside it a .json file with what is known of it."""
    request = Request(**content)
    if len(request.lowers) == 1:
        _write(request, Path(request.lowers[0]))
        return
    mounted = Path(request.output).with_suffix(".mounted")
    mounted.mkdir(exist_ok=True)
    options = f"lowerdir={':'.join(request.lowers)},userxattr"
    run(["mount", "-t", "overlay", "overlay", "-o", options, mounted])
    try:
        _write(request, mounted)
    finally:
        run(["umount", mounted])
        mounted.rmdir()


def _write(request: Request, source: Path) -> None:
    output, level, epoch = Path(request.output), str(request.level), str(request.epoch)
    # The memory limit keeps the figure independent of how much the machine has.
    compression = ["-comp", "zstd", "-Xcompression-level", level, "-b", request.block, "-mem", "512M"]
    with atomic.making(output) as draft:
        run(["mksquashfs", source, draft, "-noappend", "-no-progress", "-quiet", "-mkfs-time", epoch, *compression])
        facts = {"sha256": sha256(draft), "content_bytes": content_bytes(source)}
    atomic.write(output.with_suffix(".json"), json.dumps(facts))


def content_bytes(source: Path) -> int:
    """Returns how many bytes the files of a tree take on a file system with blocks of 4 KiB, each inode once."""
    sizes: dict[int, int] = {}
    for directory, names, files in os.walk(source):
        for name in (*names, *files):
            status = Path(directory, name).lstat()
            sizes[status.st_ino] = disk_bytes(status)
    return sum(sizes.values())


def disk_bytes(status: os.stat_result) -> int:
    """Returns how many bytes a file takes in blocks of 4 KiB; a directory takes one block.

    Its own size would tell what was once in it as well, and so differ between two builds of the same layer.
    """
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return 4096 * max(1, -(-size // 4096))
