"""What the installer finds wrong with the section `apt` when it looks for the archive of the machine."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from rigforge.autoinstall.subiquity.document import Finding

#: What an entry of mirror-selection may have.
_ENTRY = ("uri", "arches", "country_mirror")


def errors(apt: dict[str, Any]) -> Iterator[Finding]:
    """Yields why the installer refuses the section, whose types are right."""
    if "primary" in apt and "mirror-selection" in apt:
        yield Finding("error", "apt", "primary and mirror-selection exclude each other", "keep mirror-selection")
    elif "primary" in apt:
        yield from _primary(apt["primary"])
    elif isinstance(apt.get("mirror-selection"), dict):
        for number, entry in enumerate(apt["mirror-selection"].get("primary") or []):
            for name in entry if isinstance(entry, dict) else ():
                if name not in _ENTRY:
                    key = f"apt.mirror-selection.primary[{number}].{name}"
                    yield Finding(
                        "error", key, "the installer knows no such key", f"known are: {', '.join(_ENTRY[:2])}"
                    )


def _primary(entries: list[Any]) -> Iterator[Finding]:
    """The older form, curtin's: it looks at each entry up to the one for the architecture."""
    for number, entry in enumerate(entries):
        key = f"apt.primary[{number}]"
        if not isinstance(entry, dict):
            cure = "mirror-selection knows it: {primary: [country-mirror]}" if entry == "country-mirror" else ""
            yield Finding("error", key, f"{entry!r} is no mapping", cure or f"{{arches: [default], uri: {entry}}}")
            return
        if not isinstance(entry.get("arches"), Container):
            yield Finding("error", key, "it has no list of arches", "arches: [default]")
            return
        if "amd64" in entry["arches"]:
            return
