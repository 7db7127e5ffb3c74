"""What the options that several tasks share stand for: mirrors, a stack, its lock, the artifacts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from rigforge import ahead, console, paths
from rigforge.artifacts.artifact import Artifact, Build, Product
from rigforge.build import make
from rigforge.build_lock import exclusive
from rigforge.compat.stacks import check as check_cards
from rigforge.compat.stacks import refusal
from rigforge.errors import RigforgeError
from rigforge.lock.missing import silent
from rigforge.lock.model import Lock, of_stack, read
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.choose import choose, preference, unanswered
from rigforge.stack.load import load, names
from rigforge.stack.model import Stack
from rigforge.store.store import Store

P = TypeVar("P", bound=Product)


def the_mirrors(directory: str) -> Mirrors:
    """Returns where this machine gets files from, `directory` (or "") before all."""
    return Mirrors.from_environment(Path(directory) if directory else None)


def the_stack(
    name: str,
    mirrors: Mirrors,
    sets: Sequence[str] = (),
    site: str = "",
    gpus: Sequence[str] = (),
    *,
    offline: bool = False,
) -> Stack:
    """Returns the stack `name`, or for "" the preferred one that can be had and drives `gpus`, with the site's values.

    Says which it is, and why. Raises RigforgeError where it cannot be had or what it says is wrong.
    """
    reason = "as asked"
    if not name:
        name, reason = _downloaded(gpus) if offline else _answering(mirrors, gpus)
    gpu_settings = [f"machine.gpus={json.dumps(list(gpus), ensure_ascii=False)}"] if gpus else []
    stack = load(name, sets=[*sets, *gpu_settings], site=Path(site) if site else None)
    if stack.machine.gpus:
        check_cards(stack, stack.machine.gpus, dict.fromkeys([*preference(), *names()]), load)
    console.say(f"Stack {stack.name} ({stack.description}): {reason}")
    return stack


def the_lock(stack: Stack) -> Lock:
    """Returns the lock of a stack. Raises RigforgeError with the command that renews it where it does not fit."""
    return of_stack(stack)


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
    folder = _folder(artifact, out)
    # Where it is a folder, others may be made beside it.
    with exclusive(artifact.path(stack.name, folder) if artifact.index else folder):
        if not offline:
            ahead.check(ahead.downloads(artifact, stack, lock), mirrors)
        return make(artifact, Build(stack, lock, mirrors, folder, offline=offline, check=check))


def announce(artifact: Artifact[Product], stack: Stack, lock: Lock, out: str = "") -> None:
    """Says for which cards an artifact is, and what its making takes. Raises RigforgeError for too small a disk."""
    folder = _folder(artifact, out)
    if cards := stack.machine.gpus or stack.gpu.models:
        remark = "" if stack.machine.gpus else " (those of the stack; --gpu names yours)"
        console.say(f"Cards: {', '.join(cards)}{remark}")
    work = ahead.of(artifact, stack, lock, folder)
    console.say(ahead.summary(work))
    ahead.check_disk(work, folder)


def _folder(artifact: Artifact[Product], out: str) -> Path:
    return Path(out) if out else paths.PROJECT / "out" / artifact.folder


def _answering(mirrors: Mirrors, gpus: Sequence[str]) -> tuple[str, str]:
    probe = partial(unanswered, proxies=mirrors.proxies())
    stack, reason = choose(
        mirrors, probe=probe, silent=partial(silent, mirrors=mirrors), unfit=partial(refusal, gpus=gpus)
    )
    return stack.name, reason


def _downloaded(gpus: Sequence[str]) -> tuple[str, str]:
    store = Store(paths.home() / "store")
    for name in preference():
        stack = load(name)
        path = stack.lock_path
        if path.exists() and not refusal(stack, gpus) and not store.missing(read(path).files):
            return name, "all its files have been downloaded"
    drives = f" that drives {', '.join(gpus)} and" if gpus else ""
    raise RigforgeError(
        f"there is no stack{drives} of which all files have been downloaded",
        "build once without --offline, or name a stack with --stack and a folder of files with --mirror",
    )
