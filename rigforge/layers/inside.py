"""What runs as root of the namespace: one layer built, or one squashfs made."""

from __future__ import annotations

import importlib
import json
import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.layers import trial
from rigforge.layers.root import Root, clean, interfaces, overlay, settle
from rigforge.process import run
from rigforge.records.checksums import sha256


def build(request: dict[str, Any]) -> None:
    """Builds one layer.

    `request`: `layer` (the recipe's name), `directory` (empty; gets `rootfs`, the upper directory), `files`
    (directory of the locked files), `lowers` (upper directories of the layers below, top first), `products`
    and `options` as in `Root`. Where nothing is below, the recipe makes the root itself.
    """
    directory, files = Path(request["directory"]), Path(request["files"])
    lowers = [*(Path(lower) for lower in request["lowers"]), *trial.ground()]
    recipe = importlib.import_module(f"rigforge.layers.recipes.{request['layer']}")
    path, upper, work = (directory / name for name in ("mounted", "rootfs", "work"))
    for part in (path, upper, work):
        part.mkdir()
    products = {name: Path(product) for name, product in request["products"].items()}
    with overlay(path, lowers=lowers, upper=upper, work=work), trial.shuffled(path) as seen:
        with ExitStack() as mounts:
            if request["lowers"]:
                mounts.enter_context(interfaces(seen, files))
            recipe.build(Root(seen, files, products, request["options"]))
        clean(seen)
    settle(upper, lowers, request["options"]["source_date_epoch"])
    sync(upper)


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


def sync(path: Path) -> None:
    """Waits until the file system of `path` is on the disk."""
    run(["sync", "--file-system", path])
