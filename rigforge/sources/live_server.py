"""Canonical's live-server ISO: the newest of a release, by its signed list of checksums."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from packaging.version import Version

from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.process import run
from rigforge.records.checksums import parse
from rigforge.sources import web
from rigforge.sources.mirrors import TIMEOUT, Mirrors

#: The archive with a folder for each release, by its code name.
ROLE = "ubuntu-releases"

_NAME = re.compile(r"ubuntu-(?P<version>\d\d\.\d\d(\.\d+)?)-live-server-amd64\.iso")


@dataclass(frozen=True)
class Iso:
    """A medium of Canonical's: `version` is Ubuntu's, such as "24.04.3".

    `file` is the role and the path in the archive, `size` is in bytes, `sha256` in hex.
    """

    version: str
    file: str
    size: int
    sha256: str


def newest(mirrors: Mirrors, suite: str, keyring: Path) -> Iso:
    """Returns the ISO of a release, of its latest point release.

    `keyring` has the key that SHA256SUMS is signed with; ubuntu-archive-keyring.gpg has it beside the archive's.
    Raises RigforgeError where the list cannot be had, is not signed with that key, or names no such ISO.
    """
    folder = f"{mirrors.url(ROLE)}/{suite}"
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory, web.session(mirrors.proxies()) as session:
        sums, signature = Path(directory) / "SHA256SUMS", Path(directory) / "SHA256SUMS.gpg"
        for file in (sums, signature):
            file.write_bytes(_content(f"{folder}/{file.name}", session))
        verification = run(["gpgv", "--keyring", keyring.resolve(), signature, sums], check=False)
        if verification.returncode:
            raise RigforgeError(
                f"{folder}/SHA256SUMS is not signed with a key of {keyring}: {verification.stderr.strip()}",
                "try again later, or another mirror; the package ubuntu-keyring has Canonical's keys",
            )
        with boundary(f"{folder}/SHA256SUMS"):
            checksums = parse(sums.read_text(encoding="utf-8"))
        names = {match["version"]: name for name in checksums if (match := _NAME.fullmatch(name))}
        if not names:
            raise RigforgeError(f"{folder}/SHA256SUMS names no live-server ISO for amd64")
        version = max(names, key=Version)
        name = names[version]
        size = _size(f"{folder}/{name}", session)
    return Iso(version, f"{ROLE}:{suite}/{name}", size, checksums[name])


def _local(url: str) -> Path | None:
    return Path(unquote(urlsplit(url).path)) if url.startswith(("file:", "copy:")) else None


def _content(url: str, session: requests.Session) -> bytes:
    try:
        if path := _local(url):
            return path.read_bytes()
        answer = session.get(url, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.content
    except OSError as error:
        raise RigforgeError(f"{url} cannot be had: {error}", f"correct the mirror `{ROLE}`, or try again") from error


def _size(url: str, session: requests.Session) -> int:
    try:
        if path := _local(url):
            return path.stat().st_size
        answer = session.head(url, timeout=TIMEOUT, allow_redirects=True)
        answer.raise_for_status()
        return int(answer.headers["Content-Length"])
    except (OSError, KeyError, ValueError) as error:
        raise RigforgeError(f"{url} cannot be had: {error}", f"correct the mirror `{ROLE}`, or try again") from error
