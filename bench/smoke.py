"""Measures a cold `build-iso` of a stack, downloads included, against Debian live-build with the same packages.

    sudo apt-get install live-build
    sudo .venv/bin/python bench/smoke.py

Both start from nothing, use the same mirrors, and run one after the other. Prints seconds, the ratio, the size of
either ISO, the peak memory of our largest process, and the seconds of a second `build-iso`.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rigforge.lock.model import read
from rigforge.paths import PROJECT
from rigforge.sources.mirrors import Mirrors

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="smoke")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--skip-live-build", action="store_true")
    options = parser.parse_args()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="rigforge-bench-", dir="/var/tmp") as directory:
            home = Path(directory)
            cold = ours(options.stack, home)
            print(f"build-iso, cold: {cold:.1f} s, {megabytes(home / 'out')} MB", flush=True)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"largest process: {peak:.0f} MiB", flush=True)
            print(f"build-iso again: {ours(options.stack, home):.2f} s", flush=True)
            rebuild = ours(options.stack, home, "--set", "hostname=other")
            iso = next((home / "out").glob("*.iso"))
            copy = timed(["cp", str(iso), str(home / "copy.iso")])
            print(
                f"changed hostname: {rebuild:.2f} s, cp of the ISO: {copy:.2f} s ({rebuild / copy:.2f} x)",
                flush=True,
            )
        if not options.skip_live_build:
            with tempfile.TemporaryDirectory(prefix="live-build-", dir="/var/tmp") as directory:
                rival = live_build(options.stack, Path(directory))
                print(
                    f"live-build: {rival:.1f} s, {megabytes(Path(directory))} MB, ratio {cold / rival:.2f}",
                    flush=True,
                )


def ours(stack: str, home: Path, *extra: str) -> float:
    """Returns the seconds of one `build-iso`."""
    command = [str(PROJECT / ".venv/bin/rigforge"), "build-iso", "--stack", stack, "--out", str(home / "out")]
    command += ["--set", f"ssh_key={KEY}", "--set", "user=bench", *extra]
    return timed(command, {**os.environ, "RIGFORGE_HOME": str(home / "home")})


def live_build(stack: str, directory: Path) -> float:
    """Returns the seconds that live-build takes for an ISO with the stack's locked packages."""
    lock = read(PROJECT / "stacks" / f"{stack}.lock")
    mirrors = Mirrors.from_environment()
    archive, security = mirrors.url("debian"), mirrors.url("debian-security")
    config = [
        "lb",
        "config",
        "--distribution",
        "bookworm",
        "--archive-areas",
        "main contrib non-free non-free-firmware",
    ]
    config += ["--debian-installer", "none", "--apt-recommends", "false", "--apt-indices", "false", "--memtest", "none"]
    config += ["--mirror-bootstrap", archive, "--mirror-chroot", archive, "--mirror-binary", archive]
    config += ["--mirror-chroot-security", security, "--mirror-binary-security", security]
    subprocess.run(config, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    packages = sorted({file.name for file in lock.files if file.kind == "deb" and file.layer != "module"})
    lists = directory / "config/package-lists"
    (lists / "stack.list.chroot").write_text("\n".join(packages) + "\n")
    with (directory / "log").open("w") as log:
        start = time.monotonic()
        subprocess.run(["lb", "build"], cwd=directory, check=True, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return time.monotonic() - start


def timed(command: list[str], env: dict[str, str] | None = None) -> float:
    """Returns the seconds that a command takes."""
    start = time.monotonic()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def megabytes(directory: Path) -> int:
    """Returns the size of the ISO in a directory."""
    return next(directory.glob("*.iso")).stat().st_size // 1_000_000


if __name__ == "__main__":
    shutil.which("lb") or "--skip-live-build" in sys.argv or sys.exit("live-build is not installed")
    main()
