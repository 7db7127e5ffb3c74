"""Measures the remastering of a live-server ISO against `cp` of its result, from layers that are there already.

    .venv/bin/python bench/remaster.py --directory /var/tmp

The stock ISO (3 GB) and the layers (5 GB) are of random bytes in the layout of the real ones; 18 GB of disk are
needed. Each round makes, after one another: a copy of the ISO with cp; the ISO anew; the ISO again with another
autoinstall document. Ours holds what `build-iso` does whose time goes with size: reading the stock medium, writing,
and the sha256 of the result for the checksum file. Every one begins with the disk at
rest and its input on the disk alone, and none waits at its end for the disk (`--sync`: each does).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rigforge.images import iso, live_server, remaster
from rigforge.images.medium import Medium
from rigforge.layers.build import Squashfs
from rigforge.records.checksums import sha256
from rigforge.stack.load import load
from tests.images.live_server_medium import make

EPOCH = 1_780_000_000
MIB = 1 << 20

#: What each layer has of their size together.
SHARES = {"base": 0.06, "cuda": 0.5, "python": 0.2, "devel": 0.08, "host": 0.15, "medium": 0.01}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", type=float, default=3, metavar="GB", help="size of the stock ISO")
    parser.add_argument("--layers", type=float, default=5, metavar="GB", help="size of all layers together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where to write (default: the temporary directory)")
    parser.add_argument("--sync", action="store_true", help="count the time until all is on the disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rigforge-bench-", dir=options.directory) as name:
        measure(Path(name), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Prints seconds and ratios of each round, and their least and median."""
    boot = boot_files(folder / "boot")
    stock = stock_iso(folder / "stock", boot, int(options.stock * 1e9))
    images = list(layers(folder / "layers", int(options.layers * 1e9)))
    server = live_server.read(stock, sha256(stock))
    stack, output = load("ubuntu-24.04"), folder / "rigforge.iso"

    def medium(document: str) -> Medium:
        installer = live_server.read(stock, server.sha256)
        return live_server.lay_out(stack, installer, images, boot, document, "6.8.0-88-generic", EPOCH)

    def anew() -> None:
        remaster.write(stock, medium("version: 1\n"), "RIGFORGE", EPOCH, output)

    def another_document() -> None:
        iso.rewrite(output, medium("version: 1\ntimezone: UTC\n"))
        sha256(output)

    def copied() -> None:
        subprocess.run(["cp", "--reflink=never", output, folder / "copy.iso"], check=True)

    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is that of making the input (proc(5))
    inputs = [stock, *(image.path for image in images)]
    anew()  # the first reads the layers for their MD5, which is kept beside them
    print(f"stock ISO {gigabytes(stock)}, result {gigabytes(output)}", flush=True)
    ratios: dict[str, list[float]] = {"remaster": [], "another document": []}
    for number in range(options.rounds):
        copy = seconds(copied, [output], options.sync)
        (folder / "copy.iso").unlink()
        output.unlink()
        figures = [f"cp {copy:.1f} s"]
        for title, work in {"remaster": anew, "another document": another_document}.items():
            took = seconds(work, inputs if work is anew else [output], options.sync)
            ratios[title].append(took / copy)
            figures.append(f"{title} {took:.1f} s ({took / copy:.2f} x)")
        print(f"round {number + 1}: {', '.join(figures)}", flush=True)
    for title, quotients in ratios.items():
        print(f"{title}: least {min(quotients):.2f} x cp, median {statistics.median(quotients):.2f} x")
    resident = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]
    peak = max(resident, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(f"largest process: {peak / 1024:.0f} MiB")


def boot_files(folder: Path) -> Path:
    """Returns the folder with stand-ins for kernel, initramfs and boot images, in the sizes of real ones."""
    sizes = {
        "vmlinuz": 15 * MIB,
        "initrd.img": 70 * MIB,
        "bios.img": 30_000,
        "boot_hybrid.img": 512,
        "efi.img": 5 * MIB,
    }
    folder.mkdir()
    for name, size in sizes.items():
        write(folder / name, size)
    return folder


def stock_iso(folder: Path, boot: Path, size: int) -> Path:
    """Returns a stock ISO of about `size` bytes; most of that is the installer's squashfs files, the rest the pool."""
    for number in range(4):
        write(folder / f"tree/casper/ubuntu-server-minimal.ubuntu-server.part{number}.squashfs", size // 5)
    for number in range(50):
        write(folder / f"tree/pool/main/p/part{number}/part{number}_1_amd64.deb", size // 250)
    stock = make(folder, boot)
    subprocess.run(["rm", "-r", folder / "tree"], check=True)
    return stock


def layers(folder: Path, size: int) -> Iterable[Squashfs]:
    """Yields layers of `size` bytes together."""
    for name, share in SHARES.items():
        file = folder / f"{name}.squashfs"
        write(file, int(size * share))
        yield Squashfs(name, file, sha256(file), file.stat().st_size)


def write(file: Path, size: int) -> None:
    """Writes a file of random bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(file.name)
    block = chance.randbytes(MIB)
    with file.open("wb") as content:
        for start in range(0, size, MIB):
            # No block is like another, for disks that would notice.
            content.write(start.to_bytes(8, "big") + block[8 : size - start])


def seconds(work: Callable[[], None], inputs: Iterable[Path], sync: bool) -> float:
    """Returns the seconds that `work` takes, of whose inputs nothing is in memory."""
    os.sync()
    for file in inputs:
        with file.open("rb") as content:
            os.posix_fadvise(content.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.monotonic()
    work()
    if sync:
        os.sync()
    return time.monotonic() - start


def gigabytes(file: Path) -> str:
    """Returns the size of a file in words."""
    return f"{file.stat().st_size / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
