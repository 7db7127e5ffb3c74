"""Whether archives answer: all of them are asked at once, before the first byte is downloaded."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from packaging.utils import canonicalize_name

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.sources import web
from rigforge.sources.mirrors import Mirrors, without_credentials

#: Seconds to wait for an archive's first answer, and how often it is asked: a connection may break.
TIMEOUT, ATTEMPTS = 10.0, 2


@dataclass(frozen=True, order=True)
class Place:
    """A path below an archive's URL that is asked for, to see whether the archive of that role answers."""

    role: str
    path: str


def places(files: Iterable[LockedFile], mirrors: Mirrors) -> tuple[Place, ...]:
    """Returns one place for each role that some of `files` are fetched from; the mirror directory needs no archive."""
    places_by_role: dict[str, Place] = {}
    for file in files:
        role, path = file.file.split(":", 1)
        if role in places_by_role or (mirrors.directory and (mirrors.directory / file.mirror_path).is_file()):
            continue
        page = f"{canonicalize_name(path.split('-', 1)[0])}/"
        places_by_role[role] = Place(role, page if file.kind == "wheel" else path)
    return tuple(sorted(places_by_role.values()))


def check(probes: Iterable[Place], mirrors: Mirrors) -> None:
    """Checks that somebody serves each of the roles, and answers; what is said of a path is left to who fetches it.

    Raises RigforgeError that names all roles that do not answer, those that do, and the cure.
    """
    by_role = {place.role: place for place in sorted(probes, reverse=True)}
    if not by_role:
        return
    with ThreadPoolExecutor(max_workers=len(by_role)) as pool:
        reasons = dict(zip(by_role, pool.map(lambda place: silence(place, mirrors), by_role.values()), strict=True))
    silences = {role: reason for role, reason in sorted(reasons.items()) if reason}
    if not silences:
        return
    answering_roles = sorted(reasons.keys() - silences.keys())
    count = f"{len(silences)} of {len(reasons)} archives" if answering_roles else "no archive"
    lines = [f"  {role}: {reason}" for role, reason in silences.items()]
    lines += [f"these answer: {', '.join(answering_roles)}"] if answering_roles else []
    entries = ", ".join(f'{role} = "https://HOST/…"' for role in silences)
    remedy = (
        "name mirrors that answer" if answering_roles else "check this machine's network and proxy, or name mirrors"
    )
    raise RigforgeError(
        "\n".join([f"{count} of what is to be downloaded {'do' if answering_roles else 'does'} not answer:", *lines]),
        f"{remedy} in {mirrors.config}, in the table [mirrors]: {entries}; "
        "or give a folder that has the files with --mirror DIR",
    )


def silence(place: Place, mirrors: Mirrors) -> str:
    """Returns why an archive gives no answer, with its URL; "" where it gives one, be it that it has no such path."""
    try:
        base = mirrors.url(place.role)
    except RigforgeError as error:
        return error.message
    if base.startswith(("file:", "copy:")):
        return "" if Path(unquote(urlsplit(base).path)).is_dir() else f"{base}: no such folder"
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            # A GET whose body is left unread: not every mirror answers HEAD.
            with (
                web.session(mirrors.proxies()) as session,
                session.get(f"{base}/{place.path}", stream=True, timeout=TIMEOUT) as answer,
            ):
                reason = f"HTTP status {answer.status_code}" if answer.status_code >= 500 else ""
        except requests.Timeout:
            reason = f"no answer within {TIMEOUT:g} s"
        except requests.RequestException as error:
            reason = type(error).__name__
        if not reason:
            return ""
    return f"{without_credentials(base)}: {reason}"
