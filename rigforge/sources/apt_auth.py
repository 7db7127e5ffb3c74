"""Names and passwords that apt has for archives: apt_auth.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

_MACHINE = re.compile(r"(?:(?P<scheme>[a-z+]+)://)?(?P<host>[^:/]+)(?::(?P<port>\d+))?(?P<path>/.*)?")


@dataclass(frozen=True)
class Login:
    """What auth.conf has of a machine: protocol, host, port and path as far as it names them, name and password."""

    scheme: str
    host: str
    port: str
    path: str
    name: str
    password: str

    def fits(self, url: str) -> bool:
        """Tells whether the entry is for this URL: without a protocol it is for https alone."""
        parts = urlsplit(url)
        return (
            parts.scheme == (self.scheme or "https")
            and parts.hostname == self.host
            and self.port in ("", str(parts.port or ""))
            # apt asks for files below the archive: its path has a closing slash.
            and f"{parts.path}/".startswith(self.path)
        )


def with_login(url: str, directory: Path) -> str:
    """Returns a URL with the name and password that apt has for it, the first that fit; else as it is.

    `directory` has auth.conf and auth.conf.d. What this user may not read is passed over, as apt does.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return url
    login = next((login for login in _logins(directory) if login.fits(url)), None)
    if not login:
        return url
    user = f"{quote(login.name, safe='')}:{quote(login.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


def _logins(directory: Path) -> Iterator[Login]:
    for path in (directory / "auth.conf", *sorted((directory / "auth.conf.d").glob("*.conf"))):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # A comment is a line of its own; a password may have the sign in it.
        words = re.sub(r"(?m)^\s*#.*$", "", text).split()
        entries: list[dict[str, str]] = []
        # A name and its value; a password may be the word `machine`.
        for name, value in zip(words[::2], words[1::2], strict=False):
            if name == "machine":
                entries.append({})
            if entries:
                entries[-1][name] = value
        for entry in entries:
            machine = _MACHINE.fullmatch(entry["machine"])
            if machine and "login" in entry:
                parts = {key: value or "" for key, value in machine.groupdict().items()}
                yield Login(**parts, name=entry["login"], password=entry.get("password", ""))
