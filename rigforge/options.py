"""What the options that several tasks share stand for: mirrors, a stack, its lock, the ISO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rigforge import ahead, console, paths
from rigforge.build import build_images, build_iso
from rigforge.build_lock import exclusive
from rigforge.compat.stacks import check as check_cards
from rigforge.compat.stacks import refusal
from rigforge.engine.compose import write_definitions
from rigforge.engine.gpus import Access
from rigforge.engine.image import reference
from rigforge.errors import RigforgeError, UsageError
from rigforge.images.blob import MEDIA_TYPES
from rigforge.images.container import Container
from rigforge.lock.missing import lock_of, silent
from rigforge.lock.model import Lock, check, read
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.choose import choose, preference
from rigforge.stack.load import load, names
from rigforge.stack.model import Stack
from rigforge.store.store import Store


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
    chosen = [f"machine.gpus={json.dumps(list(gpus), ensure_ascii=False)}"] if gpus else []
    stack = load(name, sets=[*sets, *chosen], site=Path(site) if site else None)
    if stack.machine.gpus:
        check_cards(stack, stack.machine.gpus, dict.fromkeys([*preference(), *names()]), load)
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


def the_iso(
    stack: Stack,
    mirrors: Mirrors,
    *,
    base_iso: str = "",
    offline: bool = False,
    check: bool = False,
    out: str = "",
) -> Path:
    """Builds the ISO of a stack, one build at a time, and returns its path."""
    lock = lock_of(stack, mirrors, offline=offline)
    folder = Path(out) if out else paths.PROJECT / "out"
    with exclusive(folder):
        base = Path(base_iso) if base_iso else None
        ahead.check(ahead.of_iso(stack, lock, base), mirrors, offline=offline)
        return build_iso(stack, lock, mirrors, base_iso=base, offline=offline, check=check, out=folder)


def announce_iso(stack: Stack, mirrors: Mirrors, *, base_iso: str = "", offline: bool = False, out: str = "") -> None:
    """Says for which cards an ISO is, and what its making takes. Raises RigforgeError where the disk is too small."""
    folder = Path(out) if out else paths.PROJECT / "out"
    lock = lock_of(stack, mirrors, offline=offline)
    if cards := stack.machine.gpus or stack.gpu.models:
        whose = "" if stack.machine.gpus else " (those of the stack; --gpu names yours)"
        console.say(f"Cards: {', '.join(cards)}{whose}")
    work = ahead.of_iso(stack, lock, Path(base_iso) if base_iso else None, folder)
    console.say(ahead.told(work))
    ahead.check_disk(work, folder)


def the_images(
    stack: Stack,
    mirrors: Mirrors,
    image: str,
    compression: str,
    *,
    offline: bool = False,
    check: bool = False,
    out: str = "",
) -> tuple[dict[str, Container], Path]:
    """Builds the container images of a stack, one build at a time; returns them and their OCI layout's path.

    Beside the layout, in STACK-dev, are definitions of the dev image for compose and for editors.
    """
    if compression not in MEDIA_TYPES:
        raise UsageError(f"unknown compression: {compression}", f"it is one of: {', '.join(MEDIA_TYPES)}")
    lock = lock_of(stack, mirrors, offline=offline)
    layout = (Path(out) if out else paths.PROJECT / "out" / "images") / stack.name
    with exclusive(layout):
        ahead.check(ahead.of_images(stack, lock, image), mirrors, offline=offline)
        images = build_images(
            stack, lock, mirrors, image=image, compression=compression, offline=offline, check=check, out=layout
        )
    if dev := images.get("dev"):
        access: Access = "toolkit" if "cuda" in dev.description.versions else "none"
        write_definitions(reference(stack.name, "dev"), layout.with_name(f"{stack.name}-dev"), access)
    return images, layout


def _answering(mirrors: Mirrors, gpus: Sequence[str]) -> tuple[str, str]:
    stack, reason = choose(mirrors, silent=partial(silent, mirrors=mirrors), unfit=partial(refusal, gpus=gpus))
    return stack.name, reason


def _downloaded(gpus: Sequence[str]) -> tuple[str, str]:
    store = Store(paths.home() / "store")
    for name in preference():
        stack = load(name)
        path = stack.lock_path
        if path.exists() and not refusal(stack, gpus) and not store.missing(read(path).files):
            return name, "all its files have been downloaded"
    raise RigforgeError(
        "there is no stack of which all files have been downloaded",
        "build once without --offline, or name a stack with --stack and a folder of files with --mirror",
    )
