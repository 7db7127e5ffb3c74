"""Archives' public places, by role: the table beside this file, whose rows name their sources."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rigforge.foreign import read_toml


def url(role: str) -> str:
    """Returns the URL of a role's public place, without a closing slash; "" where the table has none."""
    return _table().get(role, {}).get("url", "")


def origin(role: str) -> str:
    """Returns what the Release files of a role's archive have as Origin; "" where that may be anything."""
    return _table().get(role, {}).get("origin", "")


def template(role: str) -> tuple[str, str]:
    """Returns the file among python-apt's templates that has the role's archive, and its suite there; "" for none."""
    row = _table().get(role, {})
    return row.get("template", ""), row.get("stanza", "")


def roles() -> tuple[str, ...]:
    """Returns the roles that the table has."""
    return tuple(_table())


@cache
def _table() -> dict[str, dict[str, str]]:
    return read_toml(Path(__file__).with_suffix(".toml"))
