"""The commands a user types, from a stack to a machine that was installed and tested."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from rigforge import console
from rigforge.lock.model import check, read
from rigforge.paths import PROJECT, home
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import TIMEOUT, FileGoneError, Mirrors, locate
from rigforge.stack.load import load
from rigforge.store.store import Store

OUT = PROJECT / "out" / "test"

#: pytest's fixture `record_property`: what a test hands it is in the record of its part.
Figure = Callable[[str, object], None]


def rigforge(*arguments: str | Path) -> str:
    """Runs one task and returns its standard output; its progress is seen as it comes."""
    OUT.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rigforge.cli", *map(str, arguments)]
    # Not in the checkout, where a developer may have a site.toml.
    done = subprocess.run(command, cwd=OUT, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"exit {done.returncode} from: rigforge {' '.join(command[3:])}\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Medium:
    """An ISO, with what it was made from: a stack, and options with its site values."""

    stack: str
    site: tuple[str, ...]
    iso: Path

    def verify(self, firmware: str) -> dict[str, Any]:
        """Installs it under this firmware and returns the report of the image tests; the tested disk is thrown away."""
        options = ("--stack", self.stack, *self.site, "--iso", str(self.iso), "--out", str(self.iso.parent), "--json")
        (report,) = json.loads(rigforge("verify-iso", "--firmware", firmware, *options))
        assert isinstance(report, dict)
        Path(report["disk"]).unlink()  # ten gigabytes of debian-12, under each firmware
        return report


def make(name: str, folder: Path, *sets: str, out: str = "") -> Medium:
    """Builds the ISO of the stack `name` into OUT/`out`; `folder` is for what this test alone needs."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    values = (f"ssh_key={key.with_suffix('.pub').read_text().strip()}", *sets)
    site = tuple(word for value in values for word in ("--set", value))
    stack = usable(name, folder)
    printed = rigforge("build-iso", "--stack", stack, *site, "--out", OUT / (out or name))
    assert printed.startswith("iso: ") and printed.count("\n") == 1, printed
    return Medium(stack, site, Path(printed.removeprefix("iso: ").rstrip("\n")))


def usable(name: str, folder: Path) -> str:
    """Returns the stack to build: `name` with the lock that comes with it, else a copy in `folder` with a new lock.

    Archives drop what they have replaced, and that is no fault of the code under test.
    """
    stack = load(name)
    lock = read(stack.lock_path)
    check(lock, stack, stack.lock_path)
    gone = missing(lock.files)
    if not gone:
        console.say(f"{name}: tested with its own lock, whose {len(lock.files)} files are all to be had")
        return name
    console.say(f"{name}: tested with a new lock, as {len(gone)} files are gone, the first of them {gone[0].file}")
    copy = shutil.copy(stack.path, folder)
    rigforge("lock", "--stack", copy)
    return str(copy)


def missing(files: tuple[LockedFile, ...]) -> list[LockedFile]:
    """Returns the files that are neither in the store nor in their archive."""
    mirrors = Mirrors.from_environment()
    wanted = Store(home() / "store").missing(files)
    with requests.Session() as session, ThreadPoolExecutor(8) as pool:
        gone = list(pool.map(lambda file: is_gone(file, mirrors, session), wanted))
    return [file for file, it_is in zip(wanted, gone, strict=True) if it_is]


def is_gone(file: LockedFile, mirrors: Mirrors, session: requests.Session) -> bool:
    try:
        place = locate(file, mirrors, session)
    except FileGoneError:
        return True
    if isinstance(place, Path):
        return not place.exists()
    return session.head(place, allow_redirects=True, timeout=TIMEOUT).status_code in (404, 410)
