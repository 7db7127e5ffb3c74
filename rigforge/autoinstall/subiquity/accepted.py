"""What the installer refuses: its schemas, and what it finds out when it reads the sections.

Checked against subiquity 24.04.4.1 and its development of 26.10. What depends on the machine (does a disk match?) is
known only there.
"""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import jsonschema
from packaging.version import Version

from rigforge.autoinstall.subiquity.document import Document, Finding

Release = Literal["24.04", "26.04"]

#: The first release whose installer looks at the user's name, and knows identity.groups.
_CHECKS_NAMES = "24.10"

_LAYOUT_MODES = ("reformat_disk", "use_gap")
_ACTIONS = {
    *("bcache", "dasd", "device", "disk", "dm_crypt", "format", "lvm_partition", "lvm_volgroup", "mount"),
    *("nvme_controller", "partition", "raid", "zfs", "zpool"),
}


@cache
def table(name: str) -> dict[str, Any]:
    """Returns one of the tables beside this file."""
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


def known(release: Release) -> frozenset[str]:
    """Returns the sections that a release's installer knows."""
    return frozenset(
        name
        for name, section in table("sections").items()
        if isinstance(section, dict) and "schema" in section and Version(section.get("since", "0")) <= Version(release)
    )


def errors(document: Document, release: Release, sources: Collection[str] | None = None) -> Iterator[Finding]:
    """Yields why a release's installer refuses a document; `sources` are the ids of its install sources."""
    sections = document.sections
    if document.wrapped and len(document.whole) > 1:
        others = ", ".join(sorted(str(key) for key in document.whole if key != "autoinstall"))
        yield _error("autoinstall", f"beside it are other keys: {others}", "leave `autoinstall` alone at the top")
    if "version" not in sections:
        yield _error("version", "it is missing", "version: 1")
    for name in sorted(known(release) & sections.keys()):
        yield from _section(name, sections[name])
    yield from _identity(sections, release)
    yield from _keyboard(sections.get("keyboard"))
    yield from _timezone(sections.get("timezone"))
    yield from _apt(sections.get("apt"))
    yield from _user_data(sections.get("user-data"))
    yield from _source(sections.get("source"), sources)
    # What a user is asked for is not looked at before.
    if isinstance(sections.get("storage"), dict) and not _asks(sections, "storage"):
        yield from _storage(sections["storage"])


def _section(name: str, value: Any) -> Iterator[Finding]:
    section = table("sections")[name]
    if value is None:
        if section["null"] == "refused":
            yield _error(name, "it has no value", "give it one, or remove it")
        return
    schema = {"definitions": table("sections")["definitions"], **section["schema"]}
    wrong = jsonschema.exceptions.best_match(jsonschema.Draft7Validator(schema).iter_errors(value))
    if wrong:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.absolute_path)
        yield _error(f"{name}{path}", wrong.message.replace("\n", " "), _cure(name, wrong))


def _cure(name: str, wrong: jsonschema.ValidationError) -> str:
    if name.endswith("-commands") and isinstance(wrong.instance, dict):
        return "a colon and a space make a mapping of it: put the command in quotes"
    if name == "version":
        return "version: 1, a number"
    allowed = wrong.schema.get("enum") or wrong.schema.get("required") if isinstance(wrong.schema, dict) else None
    return f"known are: {', '.join(map(str, allowed))}" if allowed else ""


def _identity(sections: dict[str, Any], release: Release) -> Iterator[Finding]:
    identity = sections.get("identity")
    if identity is None:
        storage = sections.get("storage")
        layout = storage.get("layout") if isinstance(storage, dict) else None
        only_reset = isinstance(layout, dict) and layout.get("reset-partition-only")
        if "user-data" not in sections and not _asks(sections, "identity") and not only_reset:
            yield _error("identity", "neither identity nor user-data is there", "name a user: identity, or user-data")
        return
    if isinstance(identity, dict) and "groups" in identity and Version(release) < Version(_CHECKS_NAMES):
        cure = "leave it out, and add the user to groups in late-commands"
        yield _error("identity.groups", f"the installer of {release} knows no such key", cure)
    name = identity.get("username") if isinstance(identity, dict) else None
    if isinstance(name, str) and Version(release) >= Version(_CHECKS_NAMES):
        if name in table("names")["names"]["reserved"]:
            yield _error("identity.username", f"{name} is a name of the system", "choose another")
        elif not re.fullmatch(r"[a-z_][a-z0-9_-]*", name) or len(name) > 32:
            yield _error("identity.username", f"{name!r} is no user name", "a-z, 0-9, _ and -, at most 32")


def _asks(sections: dict[str, Any], name: str) -> bool:
    """Tells whether the installer asks its user for a section."""
    asked = sections.get("interactive-sections")
    return isinstance(asked, list) and bool({name, "*"} & set(map(str, asked)))


def _keyboard(keyboard: Any) -> Iterator[Finding]:
    if not isinstance(keyboard, dict) or not isinstance(keyboard.get("layout"), str):
        return
    layouts, variants = keyboard["layout"].split(","), str(keyboard.get("variant", "")).split(",")
    known_layouts: dict[str, list[str]] = table("names")["layouts"]
    if len(layouts) != len(variants):
        yield _error("keyboard.variant", "not as many variants as layouts", "one for each, empty ones count: ','")
        return
    for layout, variant in zip(layouts, variants, strict=True):
        if layout not in known_layouts:
            yield _error("keyboard.layout", f"there is no layout {layout!r}", "such as us, de, fr, gb")
        elif variant and variant not in known_layouts[layout]:
            yield _error("keyboard.variant", f"the layout {layout} has no variant {variant!r}", "leave it empty")


def _timezone(timezone: Any) -> Iterator[Finding]:
    if isinstance(timezone, str) and timezone not in ("", "geoip"):
        there = zoneinfo.available_timezones()
        if there and timezone not in there:
            yield _error("timezone", f"there is no time zone {timezone!r}", "such as Europe/Berlin, UTC or geoip")


def _apt(apt: Any) -> Iterator[Finding]:
    if isinstance(apt, dict) and "primary" in apt and "mirror-selection" in apt:
        yield _error("apt", "primary and mirror-selection exclude each other", "keep mirror-selection")


def _user_data(data: Any) -> Iterator[Finding]:
    if isinstance(data, dict):
        unknown = sorted(str(key) for key in data if key not in table("names")["names"]["user-data"])
        if unknown:
            yield _error(f"user-data.{unknown[0]}", "cloud-init knows no such key", "see cloud-init's module reference")


def _source(source: Any, sources: Collection[str] | None) -> Iterator[Finding]:
    wanted = source.get("id") if isinstance(source, dict) else None
    if wanted and sources is not None and wanted not in sources:
        yield _error("source.id", f"the medium has no source {wanted!r}", f"it has: {', '.join(sorted(sources))}")


def _storage(storage: dict[str, Any]) -> Iterator[Finding]:
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
    seen: set[Any] = set()
    for number, action in enumerate(actions):
        here = f"{key}[{number}]"
        if action.get("type") not in _ACTIONS or "id" not in action:
            yield _error(here, "it needs an id and a type that is known", f"types: {', '.join(sorted(_ACTIONS))}")
            return
        for reference in ("device", "volume", "volgroup"):
            if isinstance(action.get(reference), str) and action[reference] not in seen:
                yield _error(f"{here}.{reference}", f"no action before it has the id {action[reference]!r}")
                return
        seen.add(action["id"])
    roots = [action for action in actions if action["type"] in ("mount", "zfs", "zpool")]
    if not any("/" in (action.get("path"), action.get("mountpoint")) or action["type"] == "zfs" for action in roots):
        yield _error(key, "nothing is mounted at /", "add a mount with path: /")
    elif not any(
        action.get("grub_device") or action.get("flag") in ("boot", "bios_grub", "prep") for action in actions
    ):
        yield _error(key, "there is no partition for the boot loader", "one with flag: boot (UEFI) or bios_grub (BIOS)")


def _error(key: str, message: str, hint: str = "") -> Finding:
    return Finding("error", key, message, hint)
