"""Measures how fast the store fetches the files of a lock, against `aria2c -x8` on the same files.

    .venv/bin/python bench/download.py stacks/smoke.lock
    .venv/bin/python bench/download.py stacks/debian-12.lock --kind wheel --at-most 1500

Each round fetches everything twice, once with either, into an empty directory on the same disk; who begins
alternates. The store's time holds what aria2c is spared: looking wheels up in the index and checking sha256.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


from rigforge.lock.model import read
from rigforge.process import run
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors, locate
from rigforge.store.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lock", type=Path, help="the lock whose files are fetched")
    parser.add_argument("--kind", choices=("deb", "wheel"), help="only files of this kind")
    parser.add_argument("--at-most", type=float, default=float("inf"), metavar="MB", help="stop adding files here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where to put the files (default: the temporary directory)")
    arguments = parser.parse_args()
    files = chosen(read(arguments.lock).files, arguments.kind, arguments.at_most * 1e6)
    megabytes = sum(file.size for file in files) / 1e6
    print(f"{len(files)} files, {megabytes:.1f} MB")

    mirrors = Mirrors.from_environment()
    session = requests.Session()
    inputs = "".join(f"{locate(file, mirrors, session)}\n  out={file.sha256}\n" for file in files)

    def ours(directory: Path) -> None:
        Store(directory).fetch(files, mirrors)

    def aria2c(directory: Path) -> None:
        command = ["aria2c", "-x8", "--file-allocation=none", "--quiet", f"--dir={directory}", "--input-file=-"]
        run(command, stdin=inputs)

    ratios = []
    for number in range(arguments.rounds):
        order = (ours, aria2c) if number % 2 == 0 else (aria2c, ours)
        rate = {program: megabytes / seconds(program, arguments.directory) for program in order}
        ratios.append(rate[ours] / rate[aria2c])
        print(f"round {number + 1}: store {rate[ours]:.0f} MB/s, aria2c {rate[aria2c]:.0f} MB/s, {ratios[-1]:.2f} x")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"median: {statistics.median(ratios):.2f} x the rate of aria2c -x8; peak memory of the store {memory:.0f} MiB"
    )


def chosen(files: Sequence[LockedFile], kind: str | None, most: float) -> list[LockedFile]:
    """Returns the files of `kind`, each content once, as long as they are at most `most` bytes together."""
    by_digest: dict[str, LockedFile] = {}
    for file in files:
        most -= file.size if kind in (None, file.kind) and file.sha256 not in by_digest else 0
        if kind in (None, file.kind) and most >= 0:
            by_digest[file.sha256] = file
    return list(by_digest.values())


def seconds(fetch: Callable[[Path], None], parent: Path | None) -> float:
    """Returns the seconds that `fetch` takes for an empty directory."""
    directory = Path(tempfile.mkdtemp(dir=parent))
    os.sync()
    try:
        start = time.monotonic()
        fetch(directory)
        return time.monotonic() - start
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
