"""Which stack is built where none is named: the first in the order of preference whose archives answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import requests

from rigforge import paths
from rigforge.errors import RigforgeError
from rigforge.stack.load import PREFERENCE, load, read_toml, shown
from rigforge.stack.model import Stack

#: Seconds to wait for an archive's first answer.
TIMEOUT = 5.0


class Roles(Protocol):
    """Knows who serves an archive role."""

    def url(self, role: str) -> str:
        """Returns the base URL of a role, or raises RigforgeError."""


def choose(
    mirrors: Roles,
    loader: Callable[[str], Stack] = load,
    probe: Callable[[str], str] | None = None,
    silent: Callable[[Stack], str] = lambda stack: "",
    unfit: Callable[[Stack], str] = lambda stack: "",
) -> tuple[Stack, str]:
    """Returns the first stack of the preference that can be built here, and why it is that one, in words.

    `loader` reads a stack by name. `probe` says why the URL of a Release file gives no answer, or
    nothing where it does. `silent` says the same of what a stack without a lock needs besides, to be locked.
    `unfit` says why a stack is not for the cards that are asked for.
    Raises RigforgeError that says of every stack why it cannot be built here.
    """
    rejections = []
    for name in preference():
        stack = loader(name)
        locked = stack.lock_path.exists()
        if reason := unfit(stack) or _silent(stack, mirrors, probe or unanswered) or ("" if locked else silent(stack)):
            rejections.append(f"{name}: {reason}")
        else:
            roles = ", ".join(dict.fromkeys(archive.role for archive in stack.archives))
            return stack, "; ".join([*rejections, f"{name}: its archives answer ({roles})"])
    raise RigforgeError(
        "none of the preferred stacks can be built here:\n" + "\n".join(f"  {reason}" for reason in rejections),
        f"name a stack with --stack, or say in [mirrors] of {paths.config_file()} where the archives are",
    )


def preference() -> tuple[str, ...]:
    """Returns the names of the stacks, the preferred one first.

    Raises RigforgeError where stacks/preference.toml does not hold them.
    """
    path = paths.SHARE / "stacks" / PREFERENCE
    order = read_toml(path).get("order")
    if not isinstance(order, list) or not order or not all(isinstance(name, str) for name in order):
        raise RigforgeError(f"{shown(path)}: order: must be an array of the names of stacks")
    return tuple(order)


def unanswered(url: str, proxies: Mapping[str, str] | None = None) -> str:
    """Returns why nothing is to be had at `url`, or nothing where it answers within `TIMEOUT`.

    `proxies` are by scheme and host, as requests has them, before those of the environment.
    """
    if url.startswith(("file:", "copy:")):
        return "" if Path(unquote(urlsplit(url).path)).is_file() else "no such file"
    try:
        # A GET whose body is left unread: not every mirror answers HEAD.
        with requests.get(url, stream=True, timeout=TIMEOUT, proxies=dict(proxies or {})) as answer:
            return "" if answer.ok else f"HTTP status {answer.status_code}"
    except requests.Timeout:
        return f"no answer within {TIMEOUT:g} s"
    except requests.RequestException as error:
        return type(error).__name__


def _silent(stack: Stack, mirrors: Roles, probe: Callable[[str], str]) -> str:
    """Returns the first archive of the stack that gives no answer, and why; nothing where all of them do."""
    try:
        urls = [f"{mirrors.url(archive.mirror)}/{archive.release}" for archive in stack.archives]
    except RigforgeError as error:
        return error.message
    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        reasons = list(pool.map(probe, urls))
    for archive, reason in zip(stack.archives, reasons, strict=True):
        if reason:
            return f"the archive {archive.role} ({archive.suite}) does not answer: {reason}"
    return ""
