"""What the installer finds wrong with the section `storage`, as far as that does not depend on the machine's disks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from packaging.version import Version

from rigforge.autoinstall.subiquity import boot
from rigforge.autoinstall.subiquity.actions import Action, Refused, read
from rigforge.autoinstall.subiquity.boot import Firmware
from rigforge.autoinstall.subiquity.disks import match_errors
from rigforge.autoinstall.subiquity.document import ENDS, Finding, table
from rigforge.autoinstall.subiquity.sizes import NoSize, size

_LAYOUT_MODES = ("reformat_disk", "use_gap")
#: Layouts that a source of layers or of one squashfs, as all of Ubuntu's servers are, cannot have.
_SOURCES = {"hybrid": "sources with core boot", "dd": "sources that are disk images"}
#: The first release whose installer looks at ptable, and with use_gap at match; and that refuses needless passwords.
_LOOKS_AT_MORE, _REFUSES_PASSWORDS = Version("24.04"), Version("26.04")
_MOUNTED, _NOT_MOUNTED = ("on", True), ("off", "noauto", False)


def findings(storage: dict[str, Any], release: str, firmware: Collection[Firmware]) -> Iterator[Finding]:
    """Yields why a release's installer refuses the section on machines with such firmware, and what it passes over."""
    if "layout" in storage:
        yield from _layout(storage["layout"], Version(release))
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
        yield Finding("error", "storage", "it has neither layout nor config", "layout: {name: direct}")


def _layout(layout: Any, release: Version) -> Iterator[Finding]:
    key = "storage.layout"
    if not isinstance(layout, dict) or "name" not in layout:
        yield Finding("error", key, "it has no name", "name: direct, lvm or zfs")
        return
    name, mode = layout["name"], layout.get("mode", "reformat_disk")
    if isinstance(name, str) and name in _SOURCES:
        yield Finding("error", f"{key}.name", f"{name} is for {_SOURCES[name]} alone", "name: direct, lvm or zfs")
        return
    if mode not in _LAYOUT_MODES:
        yield Finding("error", f"{key}.mode", f"{mode!r} is no mode of it", f"known are: {', '.join(_LAYOUT_MODES)}")
    yield from _encryption(layout, key, release)
    if name == "lvm" and layout.get("sizing-policy") not in (None, "scaled", "all"):
        yield Finding("error", f"{key}.sizing-policy", f"{layout['sizing-policy']!r} is none", "scaled or all")
    if "match" in layout and (mode == "reformat_disk" or release >= _LOOKS_AT_MORE):
        yield from match_errors(layout["match"], f"{key}.match")
    if release >= _LOOKS_AT_MORE and layout.get("ptable") not in (None, *table("names")["tables"]):
        yield Finding("error", f"{key}.ptable", f"{layout['ptable']!r} is no partition table", "gpt or msdos")
    reset = layout.get("reset-partition")
    if isinstance(reset, str) and reset:
        try:
            size(reset)
        except NoSize as wrong:
            yield Finding("error", f"{key}.reset-partition", wrong.message, "true, false, or a size such as 12G")


def _encryption(layout: dict[str, Any], key: str, release: Version) -> Iterator[Finding]:
    name, password, recovery = layout["name"], layout.get("password"), layout.get("recovery-key", False)
    if name not in ("lvm", "zfs"):
        if password is not None and release >= _REFUSES_PASSWORDS:
            yield Finding("error", f"{key}.password", f"with {name} nothing is encrypted", "name: lvm or zfs")
        return
    if not isinstance(password, str | None):
        message, cure = f"{password!r} is no text: the installation ends there", "put it in quotes"
        yield Finding("error" if name == "zfs" else "warning", f"{key}.password", message, cure, harm=ENDS)
    if name == "lvm" and recovery is not False:
        if not isinstance(recovery, bool | dict):
            yield Finding(
                "error", f"{key}.recovery-key", f"{recovery!r} is neither yes, no nor a mapping", "recovery-key: true"
            )
        elif isinstance(recovery, dict) and not all(isinstance(where, str | None) for where in recovery.values()):
            yield Finding("error", f"{key}.recovery-key", "its locations are texts", "live-location: /root/key.txt")
        elif not password:
            yield Finding(
                "error", f"{key}.recovery-key", "there is no password that it could stand in for", "give a password"
            )


def _root(actions: Sequence[Action]) -> None:
    """Raises Refused where nothing is mounted at /: the installer asks the mounts, then ZFS pools, then data sets."""
    if any(action.type == "mount" and action.body["path"] == "/" for action in actions):
        return
    for kind, properties in (("zpool", "fs_properties"), ("zfs", "properties")):
        for action in (action for action in actions if action.type == kind):
            values = action.body.get(properties) or {}
            if not isinstance(values, dict) or values.get("canmount", False) not in _MOUNTED + _NOT_MOUNTED:
                message = "canmount is none of on, off and noauto"
                raise Refused(f"{action.key}.{properties}", message, "{canmount: 'on'}")
            path = action.body["mountpoint"] if kind == "zpool" else values.get("mountpoint", action.body["volume"])
            if values.get("canmount", False) in _MOUNTED and path == "/":
                return
    message, hint = "nothing is mounted at /", "add a mount with path: / (ZFS: canmount: 'on' and mountpoint: /)"
    raise Refused("storage.config", message, hint)
