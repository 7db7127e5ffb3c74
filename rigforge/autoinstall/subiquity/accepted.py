"""What the installer refuses: its schemas, and what it finds out when it reads the sections.

Checked against subiquity 24.04.4.1 and its development of 26.10. What depends on the machine (does a disk match?) is
known only there.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from packaging.version import Version

from rigforge.autoinstall.subiquity import storage
from rigforge.autoinstall.subiquity.document import Document, Finding, table

if TYPE_CHECKING:
    import jsonschema

Release = Literal["24.04", "26.04"]

#: The first release whose installer looks at the user's name, and knows identity.groups.
_CHECKS_NAMES = "24.10"


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
        yield from storage.errors(sections["storage"])


def _section(name: str, value: Any) -> Iterator[Finding]:
    section = table("sections")[name]
    if value is None:
        if section["null"] == "refused":
            yield _error(name, "it has no value", "give it one, or remove it")
        return
    schema = {"definitions": table("sections")["definitions"], **section["schema"]}
    if wrong := _wrong(schema, value):
        yield _error(f"{name}{_path(wrong)}", wrong.message.replace("\n", " "), _cure(name, wrong))


def _wrong(schema: Mapping[str, Any], value: Any) -> jsonschema.ValidationError | None:
    # It takes longer to import than a build takes in which nothing has changed.
    import jsonschema

    wrong: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(
        jsonschema.Draft7Validator(schema).iter_errors(value)
    )
    return wrong


def _path(wrong: jsonschema.ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.absolute_path)


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
    if not isinstance(data, dict):
        return
    properties: dict[str, Any] = table("user_data")["properties"]
    for name, value in data.items():
        if name not in properties:
            near = difflib.get_close_matches(str(name), properties, n=1)
            hint = f"did you mean {near[0]}?" if near else "see cloud-init's module reference"
            yield _error(f"user-data.{name}", "cloud-init knows no such key", hint)
        elif wrong := _wrong(properties[name], value):
            yield _error(f"user-data.{name}{_path(wrong)}", wrong.message.replace("\n", " "), _cure("", wrong))


def _source(source: Any, sources: Collection[str] | None) -> Iterator[Finding]:
    wanted = source.get("id") if isinstance(source, dict) else None
    if wanted and sources is not None and wanted not in sources:
        yield _error("source.id", f"the medium has no source {wanted!r}", f"it has: {', '.join(sorted(sources))}")


def _error(key: str, message: str, hint: str = "") -> Finding:
    return Finding("error", key, message, hint)
