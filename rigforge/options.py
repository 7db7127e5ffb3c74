"""What the options that several tasks share stand for: mirrors, a stack, its lock, the artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from rigforge import console, paths
from rigforge.artifacts.artifact import Artifact, Build, Product
from rigforge.build import make
from rigforge.build_lock import exclusive
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, check, read
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.choose import choose, preference
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.store.store import Store

P = TypeVar("P", bound=Product)


def the_mirrors(directory: str) -> Mirrors:
    """Returns where this machine gets files from, `directory` (or "") before all."""
    return Mirrors.from_environment(Path(directory) if directory else None)


def the_stack(name: str, mirrors: Mirrors, sets: Sequence[str] = (), site: str = "", *, offline: bool = False) -> Stack:
    """Returns the stack `name`, or for "" the preferred one that can be had, with the site's values.

    Says which it is, and why. Raises RigforgeError where it cannot be had or what it says is wrong.
    """
    reason = "as asked"
    if not name:
        name, reason = _downloaded() if offline else _answering(mirrors)
    stack = load(name, sets=sets, site=Path(site) if site else None)
    console.say(f"Stack {stack.name} ({stack.description}): {reason}")
    return stack


def the_lock(stack: Stack) -> Lock:
    """Returns the lock of a stack. Raises RigforgeError with the command that renews it where it does not fit."""
    lock = read(stack.lock_path)
    check(lock, stack, stack.lock_path)
    return lock


def the_previous_lock(stack: Stack) -> Lock | None:
    """Returns the lock to start from, if there is one; a damaged one is mended by making it anew."""
    if not stack.lock_path.exists():
        return None
    try:
        return read(stack.lock_path)
    except RigforgeError as error:
        console.warn(f"{error.message}; it is made anew")
        return None


def the_artifact(
    artifact: Artifact[P],
    stack: Stack,
    lock: Lock,
    mirrors: Mirrors,
    *,
    offline: bool = False,
    check: bool = False,
    out: str = "",
) -> P:
    """Makes an artifact of a stack, one build at a time, in the folder `out` or its own below out/."""
    folder = Path(out) if out else paths.PROJECT / "out" / artifact.folder
    # Where it is a folder, others may be made beside it.
    with exclusive(artifact.path(stack.name, folder) if artifact.index else folder):
        return make(artifact, Build(stack, lock, mirrors, folder, offline=offline, check=check))


def _answering(mirrors: Mirrors) -> tuple[str, str]:
    stack, reason = choose(mirrors)
    return stack.name, reason


def _downloaded() -> tuple[str, str]:
    store = Store(paths.home() / "store")
    for name in preference():
        path = load(name).lock_path
        if path.exists() and not store.missing(read(path).files):
            return name, "all its files have been downloaded"
    raise RigforgeError(
        "there is no stack of which all files have been downloaded",
        "build once without --offline, or name a stack with --stack and a folder of files with --mirror",
    )
