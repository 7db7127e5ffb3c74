"""What this machine's own apt, uv, pip and conda are configured to read from."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rigforge import foreign
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary

#: The apt methods that name a place where files can be had one by one (mirror+file:, cdrom: and the like do not).
SCHEMES = ("http://", "https://", "file:", "copy:")

#: apt's own words for "no" (StringToBool in apt-pkg/contrib/strutl.cc).
NO = ("0", "no", "false", "without", "off", "disable")

_ONE_LINE = re.compile(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s")


def apt_uris(directory: Path = Path("/etc/apt")) -> Iterator[str]:
    """Yields the URIs of the binary archives that apt reads, in apt's own order, without a closing slash.

    `directory` is laid out as sources.list(5) says: sources.list, sources.list.d/*.list (one line
    an entry) and sources.list.d/*.sources (deb822). Disabled entries are left out.
    """
    files = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]
    for path in files:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        with boundary(f"{path} is not a list of apt's sources"):
            uris = list(_one_line_uris(text) if path.suffix == ".list" else _deb822_uris(text))
        for uri in uris:
            if uri.startswith(SCHEMES):
                yield uri.rstrip("/")


def _one_line_uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if entry := _ONE_LINE.match(line):
            yield entry[1]


def _deb822_uris(text: str) -> Iterator[str]:
    from debian.deb822 import Deb822

    for stanza in Deb822.iter_paragraphs(text.splitlines(), use_apt_pkg=False):
        if stanza.get("Enabled", "yes").strip().lower() in NO or "deb" not in stanza.get("Types", "").split():
            continue
        yield from stanza.get("URIs", "").split()


def python_index(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> str | None:
    """Returns the package index that uv, else pip, is told to use instead of its default, or None.

    The order is theirs: the environment, then the user's file, then the machine's
    (docs.astral.sh/uv/concepts/configuration-files, pip's `pip config debug`).
    `root` is where the machine's own configuration begins.
    """
    home = Path(environment.get("HOME") or Path.home())
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    uv_files = [config / "uv/uv.toml", root / "etc/xdg/uv/uv.toml", root / "etc/uv/uv.toml"]
    if named := environment.get("UV_CONFIG_FILE"):
        uv_files = [Path(named)]
    pip_files = [config / "pip/pip.conf", home / ".pip/pip.conf", root / "etc/xdg/pip/pip.conf", root / "etc/pip.conf"]
    if named := environment.get("PIP_CONFIG_FILE"):
        pip_files.insert(0, Path(named))
    candidates = (
        # UV_DEFAULT_INDEX may be `name=URL`.
        re.sub(r"^[\w.-]+=", "", environment.get("UV_DEFAULT_INDEX", "")),
        environment.get("UV_INDEX_URL"),
        *map(_uv_index, uv_files),
        environment.get("PIP_INDEX_URL"),
        *map(_pip_index, pip_files),
    )
    return next((url.rstrip("/") for url in candidates if url), None)


def _uv_index(path: Path) -> str | None:
    table = read_toml(path)
    indices = table["index"] if isinstance(table.get("index"), list) else []
    default = [index.get("url") for index in indices if isinstance(index, dict) and index.get("default")]
    return next((str(url) for url in (*default, table.get("index-url")) if url), None)


def _pip_index(path: Path) -> str | None:
    if not path.is_file():
        return None
    parser = configparser.RawConfigParser()
    with boundary(f"{path} is not a pip configuration"):
        parser.read(path, encoding="utf-8")
    return parser.get("global", "index-url", fallback=None)


def conda_channel(name: str, environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> str:
    """Returns the URL of a channel as conda on this machine has it, without a closing slash.

    Read are custom_channels and channel_alias of the files that conda reads (docs.conda.io, "Using the .condarc conda
    configuration file"), the user's before the machine's; without them it is where rattler has the channel.
    `root` is where the machine's own configuration begins.
    """
    home = Path(environment.get("HOME") or Path.home())
    files = [home / ".condarc", home / ".conda/.condarc", root / "etc/conda/.condarc", root / "opt/conda/.condarc"]
    if named := environment.get("CONDARC"):
        files.insert(0, Path(named))
    known = [table for table in map(_condarc, files) if table]
    for table in known:
        if custom := (table.get("custom_channels") or {}).get(name):
            return f"{str(custom).rstrip('/')}/{name}"
    alias = next((str(table["channel_alias"]) for table in known if table.get("channel_alias")), None)
    if alias is None:
        from rattler import Channel

        return Channel(name).base_url.rstrip("/")
    return f"{alias.rstrip('/')}/{name}"


def _condarc(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import yaml

    with boundary(f"{path} is not YAML"):
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        return {}
    if not isinstance(table.get("custom_channels") or {}, dict):
        raise RigforgeError(f"{path}: custom_channels: must be a mapping of names to addresses")
    return table


def read_toml(path: Path) -> dict[str, Any]:
    """Returns the tables of a TOML file, none if there is no such file; RigforgeError where it is not TOML."""
    try:
        return foreign.read_toml(path)
    except FileNotFoundError:
        return {}
