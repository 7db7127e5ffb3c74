"""Measures what SBOM, provenance and checksums add to the writing of an ISO.

    .venv/bin/python bench/attest.py --stack debian-12     # its layers are built first where they are missing
    .venv/bin/python bench/attest.py --bytes 4800000000    # no stack: one file of that size, and its checksum alone

Each round writes the ISO bare, as xorriso prints it, and then as `build-iso` does, in a process of its own that knows
nothing from before. Prints seconds and the difference of the medians. Takes twice the ISO's size in the folder for
temporary files (TMPDIR).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from rigforge.artifacts import install_iso
from rigforge.artifacts.artifact import Build
from rigforge.build import make
from rigforge.images import hashed_output, iso
from rigforge.images.medium import Medium
from rigforge.options import the_lock
from rigforge.process import minimal_environment
from rigforge.reproduce.rebuild import SITE
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="smoke")
    parser.add_argument("--bytes", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rigforge-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as directory:
        folder = Path(directory)
        make = of_size(options.bytes, folder) if options.bytes else of_stack(options.stack)
        timed(make, folder / "warm")
        bare, whole = [], []
        for _ in range(options.rounds):
            with (
                mock.patch.object(hashed_output, "write", unhashed),
                mock.patch("rigforge.attest.sidecars.describe", lambda *_: None),
            ):
                bare.append(timed(make, folder / "bare"))
            whole.append(timed(make, folder / "whole"))
            print(f"bare {bare[-1]}, with SBOM, provenance and checksums {whole[-1]}", flush=True)
        seconds, processor = (
            statistics.median(getattr(cost, name) for cost in whole)
            - statistics.median(getattr(cost, name) for cost in bare)
            for name in ("seconds", "processor")
        )
        print(f"overhead {Spent(seconds, processor)} (medians of {options.rounds})")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and of processors, which say more where the machine is busy with other things."""

    seconds: float
    processor: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.processor:.2f} s of processors)"


def of_stack(name: str) -> Callable[[Path], object]:
    """Returns what builds the ISO of a stack into a folder."""
    stack, mirrors = load(name, site=SITE), Mirrors.from_environment()
    lock = the_lock(stack)
    return lambda out: make(install_iso(lock), Build(stack, lock, mirrors, out))


def of_size(size: int, folder: Path) -> Callable[[Path], object]:
    """Returns what writes an ISO with one file of `size` bytes, which no disk compresses, into a folder."""
    (folder / "boot").mkdir()
    for name, length in (("bios.img", 30_000), ("boot_hybrid.img", 512), ("efi.img", 65_536)):
        (folder / "boot" / name).write_bytes(bytes(length))
    with (folder / "large").open("wb") as large:
        subprocess.run(["head", "-c", str(size), "/dev/urandom"], stdout=large, check=True)
    medium = Medium("bench", {"live/large.squashfs": folder / "large"}, {}, "")
    return lambda out: iso.write(medium, folder / "boot", "BENCH", 1_700_000_000, out / "bench.iso")


def unhashed(command: Sequence[str | Path], output: Path, env: Mapping[str, str], *, private: bool = False) -> str:
    """Stands in for `hashed_output.write`: the program writes into the file itself."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as file:
        subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, env=minimal_environment(env), check=True)
    return ""


def timed(make: Callable[[Path], object], out: Path) -> Spent:
    """Returns what `make` takes in a process of its own; what it made is removed."""
    start, processors = time.monotonic(), sum(os.times()[:4])
    process = multiprocessing.get_context("fork").Process(target=make, args=(out,))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("the build failed")
    outlay = Spent(time.monotonic() - start, sum(os.times()[:4]) - processors)
    shutil.rmtree(out)
    return outlay


if __name__ == "__main__":
    main()
