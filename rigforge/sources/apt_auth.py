"""Names and passwords that apt has for archives: apt_auth.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


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
        entries = [number for number, word in enumerate(words) if word == "machine"]
        for begin, end in zip(entries, [*entries[1:], len(words)], strict=True):
            pairs = dict(zip(words[begin:end:2], words[begin + 1 : end : 2], strict=False))
            machine = re.fullmatch(
                r"(?:(?P<scheme>[a-z+]+)://)?(?P<host>[^:/]+)(?::(?P<port>\d+))?(?P<path>/.*)?", pairs["machine"]
            )
            if machine and "login" in pairs:
                known = {key: value or "" for key, value in machine.groupdict().items()}
                yield Login(**known, name=pairs["login"], password=pairs.get("password", ""))
