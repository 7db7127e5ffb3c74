"""What this machine's own uv, pip and conda are configured to read from."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rigforge import foreign
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.sources import public_places


def python_index(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> str | None:
    """Returns the package index that uv, else pip, is told to use instead of its default, or None.

    The order is theirs: the environment, then the user's file, then the machine's
    (docs.astral.sh/uv/concepts/configuration-files, pip's `pip config debug`).
    `root` is where the machine's own configuration begins.
    """
    home = Path(environment.get("HOME") or Path.home())
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    uv_files = [config / "uv/uv.toml", root / "etc/xdg/uv/uv.toml", root / "etc/uv/uv.toml"]
    if config_file := environment.get("UV_CONFIG_FILE"):
        uv_files = [Path(config_file)]
    pip_files = [config / "pip/pip.conf", home / ".pip/pip.conf", root / "etc/xdg/pip/pip.conf", root / "etc/pip.conf"]
    if config_file := environment.get("PIP_CONFIG_FILE"):
        pip_files.insert(0, Path(config_file))
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
    default_urls = [index.get("url") for index in indices if isinstance(index, dict) and index.get("default")]
    return next((str(url) for url in (*default_urls, table.get("index-url")) if url), None)


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
    configuration file"), the user's before the machine's; without them it is the channel's public place, or where
    rattler has one that the table of those has not.
    `root` is where the machine's own configuration begins.
    """
    home = Path(environment.get("HOME") or Path.home())
    files = [home / ".condarc", home / ".conda/.condarc", root / "etc/conda/.condarc", root / "opt/conda/.condarc"]
    if config_file := environment.get("CONDARC"):
        files.insert(0, Path(config_file))
    tables = [table for table in map(_condarc, files) if table]
    for table in tables:
        if base := (table.get("custom_channels") or {}).get(name):
            return f"{str(base).rstrip('/')}/{name}"
    alias = next((str(table["channel_alias"]) for table in tables if table.get("channel_alias")), None)
    if alias is None:
        if public_url := public_places.url(name):
            return public_url
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
