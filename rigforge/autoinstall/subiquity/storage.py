"""What the installer finds wrong with the section `storage`, as far as that does not depend on the machine's disks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from rigforge.autoinstall.subiquity import boot
from rigforge.autoinstall.subiquity.actions import Action, Refused, read
from rigforge.autoinstall.subiquity.boot import Firmware
from rigforge.autoinstall.subiquity.disks import match_errors
from rigforge.autoinstall.subiquity.document import Finding
from rigforge.autoinstall.subiquity.sizes import NoSize, size

_LAYOUT_MODES = ("reformat_disk", "use_gap")
_CANMOUNT = {"on": True, "off": False, "noauto": False, True: True, False: False}


def findings(storage: dict[str, Any], firmware: Collection[Firmware]) -> Iterator[Finding]:
    """Yields why the installer refuses the section on machines with such firmware, and what it passes over."""
    if "layout" in storage:
        yield from _layout(storage["layout"])
    elif "config" in storage:
        try:
            actions, warnings = read(storage["config"])
            _root(actions)
        except Refused as refused:
            yield refused.finding
            return
        yield from warnings
        yield from boot.findings(actions, firmware)
    else:
        yield _error("storage", "it has neither layout nor config", "layout: {name: direct}")


def _layout(layout: Any) -> Iterator[Finding]:
    key = "storage.layout"
    if not isinstance(layout, dict) or "name" not in layout:
        yield _error(key, "it has no name", "name: direct, lvm or zfs")
        return
    name, mode = layout["name"], layout.get("mode", "reformat_disk")
    if name == "hybrid":
        yield _error(f"{key}.name", "hybrid is for sources with core boot alone", "name: direct, lvm or zfs")
        return
    if mode not in _LAYOUT_MODES or (name == "dd" and mode != "reformat_disk"):
        yield _error(f"{key}.mode", f"{mode!r} is no mode of it", f"known are: {', '.join(_LAYOUT_MODES)}")
    if name == "lvm":
        yield from _lvm(layout, key)
    if "match" in layout:
        yield from match_errors(layout["match"], f"{key}.match")
    reset = layout.get("reset-partition")
    if isinstance(reset, str) and reset:
        try:
            size(reset)
        except NoSize as wrong:
            yield _error(f"{key}.reset-partition", wrong.message, "true, false, or a size such as 12G")


def _lvm(layout: dict[str, Any], key: str) -> Iterator[Finding]:
    if layout.get("sizing-policy") not in (None, "scaled", "all"):
        yield _error(f"{key}.sizing-policy", f"{layout['sizing-policy']!r} is none", "scaled or all")
    recovery = layout.get("recovery-key", False)
    if recovery and not layout.get("password"):
        yield _error(f"{key}.recovery-key", "there is no password that it could stand in for", "give a password")
    elif not isinstance(recovery, bool | dict):
        yield _error(
            f"{key}.recovery-key", f"{recovery!r} is neither true nor false nor a mapping", "recovery-key: true"
        )


def _root(actions: Sequence[Action]) -> None:
    """Raises Refused where nothing is mounted at /: the installer asks the mounts, then ZFS pools, then data sets."""
    if any(each.type == "mount" and each.body["path"] == "/" for each in actions):
        return
    for kind, properties in (("zpool", "fs_properties"), ("zfs", "properties")):
        for each in (each for each in actions if each.type == kind):
            given = each.body.get(properties) or {}
            if not isinstance(given, dict) or given.get("canmount", False) not in _CANMOUNT:
                message = "canmount is none of on, off and noauto"
                raise Refused(f"{each.key}.{properties}", message, "{canmount: 'on'}")
            mounted = _CANMOUNT[given.get("canmount", False)]
            path = each.body["mountpoint"] if kind == "zpool" else given.get("mountpoint", each.body["volume"])
            if mounted and path == "/":
                return
    message, hint = "nothing is mounted at /", "add a mount with path: / (ZFS: canmount: 'on' and mountpoint: /)"
    raise Refused("storage.config", message, hint)


def _error(key: str, message: str, hint: str) -> Finding:
    return Finding("error", key, message, hint)
