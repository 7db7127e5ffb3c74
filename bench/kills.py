"""Kills builds at random moments, and asks of the next build whether it gives what an undisturbed one gives.

    sudo .venv/bin/python -m bench.kills --kills 200
    sudo .venv/bin/python -m bench.kills --stack smoke --kills 20

Each build starts from nothing but the downloaded files, makes the ISO and then the images, and gets SIGKILL; every
second time with all its processes, else alone, as when the machine runs out of memory. The next one starts at once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import made_stack
from rigforge.lock.model import read
from rigforge.paths import PROJECT
from rigforge.sources.mirrors import Mirrors
from rigforge.store.store import Store


@dataclass(frozen=True)
class Kill:
    """A build that was killed, and the next one: whether that ended with the right bytes, and what was left then."""

    seconds: float
    group: bool
    right: bool
    left: tuple[Path, ...]


class Builds:
    """Builds of one stack, in a home of their own; `seconds` is how long an undisturbed one takes."""

    def __init__(self, stack: str, place: Path, home: Path) -> None:
        self._home, self._out = home, place / "out"
        site = str(PROJECT / "rigforge/reproduce/site.toml")
        rigforge = [sys.executable, "-P", "-m", "rigforge.cli"]
        self._commands = (
            [*rigforge, "build-iso", "--stack", stack, "--offline", "--site", site, "--out", str(self._out)],
            [*rigforge, "build-images", "--stack", stack, "--offline", "--out", str(self._out / "images")],
        )
        start = time.monotonic()
        self._good = self._whole()
        self.seconds = time.monotonic() - start
        if not self._good:
            sys.exit("the undisturbed build failed")

    def kill(self, seconds: float, *, group: bool) -> Kill:
        """Builds anew, kills that after so many seconds, and builds again."""
        self._clear()
        deadline = time.monotonic() + seconds
        for command in self._commands:
            build = self._start(command)
            try:
                build.wait(timeout=max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(build.pid, signal.SIGKILL) if group else build.kill()
                build.wait()
                break
        return Kill(seconds, group, self._whole() == self._good, self._left())

    def _left(self) -> tuple[Path, ...]:
        """Returns what only a build under way may have: files and folders with temporary names."""
        return (*self._home.glob("tmp"), *self._home.glob("*/.*"), *self._out.glob("**/.*.part"))

    def _whole(self) -> str:
        """Builds to the end, and returns what was made in one digest; empty where a build failed."""
        for command in self._commands:
            if self._start(command).wait() != 0:
                return ""
        outputs = sorted((*self._out.glob("*.iso"), *self._out.glob("images/*/blobs/sha256/*")))
        return "".join(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in outputs)

    def _clear(self) -> None:
        shutil.rmtree(self._out, ignore_errors=True)
        for name in ("layers", "squashfs", "blobs"):
            shutil.rmtree(self._home / name, ignore_errors=True)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "RIGFORGE_HOME": str(self._home)}
        with (self._home / "kills.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def builds(stack: str, place: Path) -> Builds:
    """Fetches what a stack needs into `place`, and builds it once."""
    home = place / "home"
    if stack == made_stack.NAME:
        return Builds(str(made_stack.make(place, home)), place, home)
    lock = read(PROJECT / f"stacks/{stack}.lock")
    Store(home / "store").fetch(lock.files, Mirrors.from_environment())
    return Builds(stack, place, home)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default=made_stack.NAME)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the moments, which are the same for the same seed")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="rigforge-kills-", dir="/var/tmp") as place:
        target = builds(options.stack, Path(place))
        print(f"{options.stack} cold: {target.seconds:.1f} s", flush=True)
        failures = 0
        for number in range(options.kills):
            kill = target.kill(moments.uniform(0, target.seconds), group=number % 2 == 0)
            failures += not kill.right or bool(kill.left)
            what = "the group" if kill.group else "the main process"
            verdict = "right" if kill.right else "WRONG"
            print(f"{number + 1}: {what} after {kill.seconds:.1f} s: {verdict}", *kill.left, flush=True)
        print(f"{options.kills - failures} of {options.kills} survived")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
