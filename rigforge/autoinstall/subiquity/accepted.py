"""What the installer refuses: its schemas, and what it finds out when it reads the sections.

Compared with the servers of subiquity 24.04.4.1 and 26.04.1, and 24.08.1 for 22.04. What depends on the machine (does a
disk match?) is known only there.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from packaging.version import Version

from rigforge.autoinstall.subiquity import archives, reports, storage
from rigforge.autoinstall.subiquity.boot import FIRMWARES, Firmware
from rigforge.autoinstall.subiquity.document import Document, Finding, table
from rigforge.rules.names import is_username

if TYPE_CHECKING:
    import jsonschema

Release = Literal["22.04", "24.04", "26.04"]
RELEASES: tuple[Release, ...] = ("22.04", "24.04", "26.04")

#: The first release whose installer looks at the user's name, and knows identity.groups.
_CHECKS_NAMES = "26.04"


#: What a message calls the types of JSON Schema.
_KINDS = {
    "object": "keys of its own",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
}


def known(release: Release) -> frozenset[str]:
    """Returns the sections that a release's installer knows."""
    return frozenset(
        name
        for name, section in table("sections").items()
        if isinstance(section, dict) and "schema" in section and Version(section.get("since", "0")) <= Version(release)
    )


def errors(
    document: Document,
    release: Release,
    sources: Collection[str] | None = None,
    firmware: Collection[Firmware] = FIRMWARES,
) -> Iterator[Finding]:
    """Yields why a release's installer refuses a document, on machines with such firmware.

    `sources` are the ids of the medium's install sources. What one kind of firmware alone refuses, and what the
    installer passes over, are warnings.
    """
    sections = document.sections
    if "version" not in sections:
        yield Finding("error", "version", "it is missing", "version: 1")
    for name in sorted(known(release) & sections.keys()):
        yield from _section(name, sections[name])
    yield from _identity(sections, release)
    yield from _keyboard(sections.get("keyboard"))
    yield from _network(sections.get("network"))
    yield from _timezone(sections.get("timezone"))
    if _sound(sections, "apt"):
        yield from archives.errors(sections["apt"])
    # Where it asks its user for anything, it reports as it likes.
    if _sound(sections, "reporting") and not sections.get("interactive-sections"):
        yield from reports.errors(sections["reporting"])
    yield from _source(sections.get("source"), sources)
    # What a user is asked for is not looked at before.
    if isinstance(sections.get("storage"), dict) and not _asks(sections, "storage"):
        yield from storage.findings(sections["storage"], release, firmware)


def _section(name: str, value: Any) -> Iterator[Finding]:
    section = table("sections")[name]
    if value is None:
        if section["null"] == "refused":
            yield Finding("error", name, "it has no value", "give it one, or remove it")
        return
    if fault := _wrong(_schema(name), value):
        yield Finding("error", f"{name}{_path(fault)}", fault.message.replace("\n", " "), _cure(name, fault))


def _schema(name: str) -> dict[str, Any]:
    return {"definitions": table("sections")["definitions"], **table("sections")[name]["schema"]}


def _wrong(schema: Mapping[str, Any], value: Any) -> jsonschema.ValidationError | None:
    # It takes longer to import than a build takes in which nothing has changed.
    import jsonschema

    fault: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(
        jsonschema.Draft7Validator(schema).iter_errors(value)
    )
    return fault


def _sound(sections: dict[str, Any], name: str) -> bool:
    return isinstance(sections.get(name), dict) and _wrong(_schema(name), sections[name]) is None


def _path(fault: jsonschema.ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.absolute_path)


def _cure(name: str, fault: jsonschema.ValidationError) -> str:
    if name.endswith("-commands") and isinstance(fault.instance, dict):
        return "a colon and a space make a mapping of it: put the command in quotes"
    if name == "version":
        return "version: 1, a number"
    schema = fault.schema if isinstance(fault.schema, dict) else {}
    if choices := schema.get("enum") or schema.get("required") or list(schema.get("properties", ())):
        return f"known are: {', '.join(map(str, choices))}"
    kinds = schema.get("type", [])
    words = [_KINDS.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return f"give it {' or '.join(words)}" if words else "remove it"


def _identity(sections: dict[str, Any], release: Release) -> Iterator[Finding]:
    identity = sections.get("identity")
    if identity is None:
        storage = sections.get("storage")
        layout = storage.get("layout") if isinstance(storage, dict) else None
        only_reset = isinstance(layout, dict) and layout.get("reset-partition-only")
        if "user-data" not in sections and not _asks(sections, "identity") and not only_reset:
            yield Finding(
                "error", "identity", "neither identity nor user-data is there", "name a user: identity, or user-data"
            )
        return
    if isinstance(identity, dict) and "groups" in identity and Version(release) < Version(_CHECKS_NAMES):
        cure = "leave it out, and add the user to groups in late-commands"
        yield Finding("error", "identity.groups", f"the installer of {release} knows no such key", cure)
    groups = identity.get("groups") if isinstance(identity, dict) else None
    if isinstance(groups, dict) and ("override" in groups) == ("append" in groups):
        yield Finding("error", "identity.groups", "it has neither or both of override and append", "append: [docker]")
    name = identity.get("username") if isinstance(identity, dict) else None
    if isinstance(name, str) and Version(release) >= Version(_CHECKS_NAMES):
        if name in table("names")["names"]["reserved"]:
            yield Finding("error", "identity.username", f"{name} is a name of the system", "choose another")
        elif not is_username(name):
            yield Finding("error", "identity.username", f"{name!r} is no user name", "a-z, 0-9, _ and -, at most 32")


def _asks(sections: dict[str, Any], name: str) -> bool:
    """Tells whether the installer asks its user for a section."""
    names = sections.get("interactive-sections")
    return isinstance(names, list) and bool({name, "*"} & set(map(str, names)))


def _keyboard(keyboard: Any) -> Iterator[Finding]:
    if not isinstance(keyboard, dict) or not isinstance(keyboard.get("layout"), str):
        return
    layouts, variants = keyboard["layout"].split(","), str(keyboard.get("variant", "")).split(",")
    known_layouts: dict[str, list[str]] = table("names")["layouts"]
    if len(layouts) != len(variants):
        yield Finding(
            "error", "keyboard.variant", "not as many variants as layouts", "one for each, empty ones count: ','"
        )
        return
    for layout, variant in zip(layouts, variants, strict=True):
        if layout not in known_layouts:
            yield Finding("error", "keyboard.layout", f"there is no layout {layout!r}", "such as us, de, fr, gb")
        elif variant and variant not in known_layouts[layout]:
            yield Finding(
                "error", "keyboard.variant", f"the layout {layout} has no variant {variant!r}", "leave it empty"
            )


def _network(network: Any) -> Iterator[Finding]:
    """Each card is compared with those of the machine, by its `match`."""
    nested = isinstance(network, dict) and "network" in network
    key, plan = ("network.network", network["network"]) if nested else ("network", network)
    for kind in ("ethernets", "wifis"):
        cards = plan.get(kind) if isinstance(plan, dict) else None
        for name, card in cards.items() if isinstance(cards, dict) else ():
            if not isinstance(card, dict):
                yield Finding("error", f"{key}.{kind}.{name}", "it is no mapping", "{dhcp4: true}")
            elif not isinstance(card.get("match", {}), dict):
                yield Finding("error", f"{key}.{kind}.{name}.match", "it is no mapping", "match: {name: 'en*'}")


def _timezone(timezone: Any) -> Iterator[Finding]:
    if isinstance(timezone, str) and timezone not in ("", "geoip"):
        zones = zoneinfo.available_timezones()
        if zones and timezone not in zones:
            yield Finding(
                "error", "timezone", f"there is no time zone {timezone!r}", "such as Europe/Berlin, UTC or geoip"
            )


def _source(source: Any, sources: Collection[str] | None) -> Iterator[Finding]:
    source_id = source.get("id") if isinstance(source, dict) else None
    if source_id and sources is not None and source_id not in sources:
        yield Finding(
            "error", "source.id", f"the medium has no source {source_id!r}", f"it has: {', '.join(sorted(sources))}"
        )
