"""Which disk the installer takes: the keys serial, path and match, of a layout or of an action."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rigforge.autoinstall.subiquity.document import Finding

_GLOBS = ("serial", "model", "vendor", "path", "id_path", "devpath")


def match_errors(match: Any, key: str) -> Iterator[Finding]:
    """Yields why no disk can match; of a list, that of its first item: the others are looked at only where it fails."""
    if isinstance(match, list):
        if not match:
            yield Finding("error", key, "an empty list matches no disk", "match: {} takes any")
            return
        match, key = match[0], f"{key}[0]"
    if not isinstance(match, dict):
        yield Finding("error", key, f"{match!r} is no mapping", "match: {serial: …}, or {size: largest}")
        return
    for name in _GLOBS:
        if name in match and not isinstance(match[name], str):
            yield Finding("error", f"{key}.{name}", f"{match[name]!r} is no text", "put it in quotes")
    if "ssd" in match and match["ssd"] not in (True, False):
        yield Finding(
            "error", f"{key}.ssd", f"{match['ssd']!r} is neither true nor false: no disk matches", "ssd: true"
        )


def disk_errors(disk: dict[str, Any], key: str, taken: set[tuple[str, Any]]) -> Iterator[Finding]:
    """Yields why no disk can be the one of an action; `taken` are those of the actions before it, and it is added."""
    # Of these the installer looks at one, the first that is there.
    name = next((name for name in ("serial", "path") if name in disk), None)
    if name is None:
        yield from match_errors(disk.get("match", {}), f"{key}.match")
        return
    value = disk[name]
    if not isinstance(value, str):
        yield Finding("error", f"{key}.{name}", f"{value!r} is no text: no disk has it", "put it in quotes")
    elif (name, value) in taken:
        yield Finding("error", f"{key}.{name}", f"another disk before it has the {name} {value}", "name a disk once")
    elif name == "path" and (value.startswith("/dev/disk/") or not value.startswith("/dev/")):
        cure = "match: {serial: …}, or the kernel's name such as /dev/sda"
        yield Finding(
            "error", f"{key}.path", f"the installer compares it with the kernel's name: {value} is none", cure
        )
    else:
        taken.add((name, value))
