"""Lists of mirrors, which an entry of apt may name in an archive's place: apt-transport-mirror(1)."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from rigforge.foreign import boundary
from rigforge.redact import redacted
from rigforge.sources import apt_proxy, web

_LOCAL, _REMOTE = ("mirror+file:", "mirror+copy:"), ("mirror+http:", "mirror+https:", "mirror:")

#: Seconds to wait for a list on a web server, and the bytes that it may have.
TIMEOUT, LARGEST = 5.0, 1 << 20

#: The priority of a mirror that has none: the last.
_LAST = 2**32


def is_one(uri: str) -> bool:
    """Tells whether a URI of apt's names a list of mirrors."""
    return uri.startswith((*_LOCAL, *_REMOTE))


def is_remote(uri: str) -> bool:
    """Tells whether the list is on a web server."""
    return uri.startswith(_REMOTE)


def mirrors(uri: str, root: Path, architecture: str) -> Iterator[str]:
    """Yields the URLs of a list, without a closing slash, those that apt tries first first; none where it has none.

    Only mirrors are that have all of an archive: one may be for some files alone. `root` is where a list's path begins.
    A list that is not there, or whose server does not answer, has none.
    """
    schemes = ("http://", "https://") if is_remote(uri) else ("http://", "https://", "file:", "copy:")
    candidates = []
    with boundary(f"{redacted(uri)} is not a list of mirrors"):
        lines = _text(uri, root).splitlines()
    for line in lines:
        url, *facts = line.split()[:1] + line.split()[1:]
        limits = dict[str, list[str]]()
        for key, _, value in (fact.partition(":") for fact in facts):
            limits.setdefault(key, []).append(value)
        is_complete = not limits.keys() & {"type", "suite", "codename", "component"}
        if is_complete and architecture in limits.get("arch", [architecture]) and url.startswith(schemes):
            priority = limits.get("priority", [""])[0]
            candidates.append((int(priority) if priority.isdecimal() else _LAST, url.rstrip("/")))
    # apt takes any of those of the same priority; the first is one of them, and the same each time.
    yield from (url for _, url in sorted(candidates, key=lambda pair: pair[0]))


def _text(uri: str, root: Path) -> str:
    """Returns the lines of a list that are not empty and no comments."""
    if is_remote(uri):
        address = uri.removeprefix("mirror+") if uri.startswith("mirror+") else f"http{uri.removeprefix('mirror')}"
        try:
            proxies = apt_proxy.proxies([address], root)
            with web.session(proxies) as session, session.get(address, timeout=TIMEOUT, stream=True) as answer:
                content = answer.raw.read(LARGEST, decode_content=True) if answer.ok else b""
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            content = b""
    else:
        path = root / unquote(urlsplit(uri).path).lstrip("/")
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
    name = urlsplit(uri).path
    if content and name.endswith(".gz"):
        content = gzip.decompress(content)
    elif content and name.endswith(".xz"):
        content = lzma.decompress(content)
    lines = content.decode("utf-8", "replace").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
