"""The proxies that this machine's apt goes through: apt-transport-http(1), as `apt-config` reads its configuration."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from rigforge.process import run

_LINE = re.compile(r'Acquire::(?P<key>https?::(?:Proxy(?:::[^\s"]+)?|Proxy-?Auto-?Detect)) "(?P<value>[^"]*)";', re.I)


@cache
def settings(root: Path = Path("/")) -> Mapping[str, str]:
    """Returns apt's settings of proxies by their names in lower case, without `Acquire::` (`http::proxy`).

    The configuration is that of the machine at `root`; without apt there are none.
    """
    if not shutil.which("apt-config") or not (root / "etc/apt").is_dir():
        return {}
    with tempfile.NamedTemporaryFile("w", prefix="rigforge-", suffix=".conf") as file:
        file.write(f'Dir "{root}";\n')
        file.flush()
        environment = {} if root == Path("/") else {"APT_CONFIG": file.name}
        dump = run(["apt-config", "dump"], env=environment, check=False).stdout
    return {match["key"].lower(): match["value"] for match in _LINE.finditer(dump) if match["value"]}


def configuration(root: Path = Path("/")) -> str:
    """Returns the settings as lines of apt.conf."""
    return "".join(f'Acquire::{key} "{value}";\n' for key, value in settings(root).items())


def proxies(urls: Iterable[str], root: Path = Path("/")) -> dict[str, str]:
    """Returns the proxy of each host of the URLs, as requests has them: by `scheme://host`; "" for none.

    A host of which apt's configuration says nothing is left out: the environment decides, for apt as for requests.
    """
    proxy_by_host = {}
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            continue
        proxy = _proxy(parts.scheme, parts.hostname, settings(root))
        if proxy is not None:
            proxy_by_host[f"{parts.scheme}://{parts.hostname}"] = proxy
    return proxy_by_host


def _proxy(scheme: str, host: str, options: Mapping[str, str]) -> str | None:
    """Returns the proxy of a host, "" for none, None where apt is told nothing; https falls back on http's settings."""
    schemes = ("http",) if scheme == "http" else ("https", "http")
    for suffix in (f"proxy::{host}", "proxy"):
        for candidate in schemes:
            if value := options.get(f"{candidate}::{suffix}"):
                return "" if value == "DIRECT" else value
    for candidate in schemes:
        program = options.get(f"{candidate}::proxy-auto-detect") or options.get(f"{candidate}::proxyautodetect", "")
        if program and os.access(program, os.X_OK):
            return _detected(program, f"{scheme}://{host}/")
    return None


@cache
def _detected(program: str, url: str) -> str:
    """Returns what a program of apt's says of a host; everybody sees its arguments, so the URL has no password."""
    proxy = run([program, url], check=False).stdout.strip()
    return "" if proxy == "DIRECT" else proxy
