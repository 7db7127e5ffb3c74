"""What the installer finds wrong with the section `storage`, as far as that does not depend on the machine's disks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rigforge.autoinstall.subiquity.document import Finding, table

_LAYOUT_MODES = ("reformat_disk", "use_gap")

#: What names other actions by their ids: one, or several.
_ONE, _SEVERAL = ("device", "volume", "volgroup"), ("devices", "spare_devices", "vdevs")

_SIZE = re.compile(r"\d+%|\d+(\.\d+)?[BKMGTP]?", re.IGNORECASE)


def errors(storage: dict[str, Any]) -> Iterator[Finding]:
    """Yields why the installer refuses the section."""
    if "layout" in storage:
        yield from _layout(storage["layout"])
    elif "config" in storage:
        yield from _config(storage["config"])
    else:
        yield _error("storage", "it has neither layout nor config", "layout: {name: direct}")


def _layout(layout: Any) -> Iterator[Finding]:
    key = "storage.layout"
    if not isinstance(layout, dict) or "name" not in layout:
        yield _error(key, "it has no name", "name: direct, lvm or zfs")
        return
    name, mode, password = layout["name"], layout.get("mode", "reformat_disk"), layout.get("password")
    if name == "hybrid":
        yield _error(f"{key}.name", "hybrid is for sources with core boot alone", "name: direct, lvm or zfs")
        return
    if mode not in _LAYOUT_MODES or (name == "dd" and mode != "reformat_disk"):
        yield _error(f"{key}.mode", f"{mode!r} is no mode of it", f"known are: {', '.join(_LAYOUT_MODES)}")
    if name == "lvm":
        if layout.get("sizing-policy") not in (None, "scaled", "all"):
            yield _error(f"{key}.sizing-policy", f"{layout['sizing-policy']!r} is none", "scaled or all")
        if layout.get("recovery-key") and password is None:
            yield _error(f"{key}.recovery-key", "there is no password that it could stand in for", "give a password")
    match = layout.get("match", {})
    if not isinstance(match, dict) and not (isinstance(match, list) and all(isinstance(each, dict) for each in match)):
        yield _error(f"{key}.match", "it is no mapping and no list of them", "match: {serial: '…'}")


def _config(actions: Any) -> Iterator[Finding]:
    key = "storage.config"
    if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
        yield _error(key, "it is no list of actions", "each has type and id")
        return
    seen: set[str] = set()
    for number, action in enumerate(actions):
        if wrong := _action(action, f"{key}[{number}]", seen):
            yield wrong
            return
        if action["type"] in table("names")["actions"]:
            seen.add(str(action["id"]))
    yield from _disks(actions)
    yield from _last(actions)
    roots = [action for action in actions if action["type"] in ("mount", "zfs", "zpool")]
    if not any("/" in (action.get("path"), action.get("mountpoint")) or action["type"] == "zfs" for action in roots):
        yield _error(key, "nothing is mounted at /", "add a mount with path: /")
    elif not any(
        action.get("grub_device") or action.get("flag") in ("boot", "bios_grub", "prep") for action in actions
    ):
        yield _error(key, "there is no partition for the boot loader", "one with flag: boot (UEFI) or bios_grub (BIOS)")


def _action(action: dict[str, Any], here: str, seen: set[str]) -> Finding | None:
    """Returns what is wrong with one action; one whose type is not known is passed over, as the installer does."""
    required: dict[str, list[str]] = table("names")["actions"]
    if not isinstance(action.get("type"), str):
        return _error(here, "it has no type", f"types: {', '.join(required)}")
    if action["type"] not in required:
        return None
    if missing := [name for name in ("id", *required[action["type"]]) if name not in action]:
        return _error(here, f"a {action['type']} needs {' and '.join(missing)}", f"add {missing[0]}")
    for name in (*_ONE, *_SEVERAL):
        named = action.get(name, [])
        for each in named if isinstance(named, list) else [named]:
            if str(each) not in seen:
                return _error(f"{here}.{name}", f"no action before it has the id {each!r}")
    size = action.get("size")
    if isinstance(size, str) and not _SIZE.fullmatch(size.removeprefix("-")):
        return _error(f"{here}.size", f"{size!r} is no size", "such as 512M, 20G, 50% or -1 for all that is left")
    return None


def _disks(actions: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """A disk is used once; without serial, path or match each is another one."""
    for name in ("serial", "path"):
        named = Counter(str(action[name]) for action in actions if action["type"] == "disk" and name in action)
        for value in (value for value, times in named.items() if times > 1):
            yield _error("storage.config", f"two disks have the {name} {value}", "name a disk once")


def _last(actions: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Only the last partition of a disk can have the rest of it."""
    partitions = [(number, action) for number, action in enumerate(actions) if action["type"] == "partition"]
    last = {str(action["device"]): number for number, action in partitions}
    for number, action in partitions:
        if str(action.get("size", "")).startswith("-") and last[str(action["device"])] != number:
            message = "it takes all that is left, and is not the last of its disk"
            yield _error(f"storage.config[{number}].size", message, "give it a size, or put it last")


def _error(key: str, message: str, hint: str = "") -> Finding:
    return Finding("error", key, message, hint)
