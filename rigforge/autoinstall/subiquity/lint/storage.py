"""The section `storage`: which disk is erased, and what of it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rigforge.autoinstall.subiquity.document import ERASED, NOT_DONE, Finding
from rigforge.autoinstall.subiquity.lint.finding import items, mapping, warning

_LAYOUTS = ("direct", "lvm", "zfs", "dd", "hybrid")


def warnings(sections: dict[str, Any]) -> Iterator[Finding]:
    """Yields what happens to disks that the author may not have meant."""
    if {"storage", "*"} & set(map(str, items(sections.get("interactive-sections")))):
        return
    if sections.get("storage") is None:
        hint = "storage: {layout: {name: lvm, match: {serial: …}}}"
        yield warning("storage", "without it the largest disk is erased, for LVM", hint, ERASED)
        return
    section = mapping(sections["storage"])
    if "layout" in section and "config" in section:
        yield warning("storage.config", "there is a layout too, and only that counts", "keep one", NOT_DONE)
    if layout := mapping(section.get("layout")):
        yield from _layout(layout)


def _layout(layout: dict[str, Any]) -> Iterator[Finding]:
    name, match = layout.get("name"), layout.get("match")
    if name not in _LAYOUTS:
        yield warning(
            "storage.layout.name", f"{name!r} is none: it is taken for direct", "direct, lvm or zfs", NOT_DONE
        )
    if layout.get("password") is not None and name not in ("lvm", "zfs"):
        yield warning("storage.layout.password", f"with {name} nothing is encrypted", "name: lvm or zfs", NOT_DONE)
    unused = name == "lvm" and layout.get("sizing-policy") != "all"
    if not match and layout.get("mode") != "use_gap":
        message = "the largest disk is erased, whichever it is" + ", and LVM leaves a part of it unused" * unused
        yield warning("storage.layout.match", message, "match: {serial: …}" + ", sizing-policy: all" * unused, ERASED)
    elif unused:
        yield warning("storage.layout.sizing-policy", "a part of the disk stays unused", "sizing-policy: all", NOT_DONE)
    for disk in items(match) or [match]:
        if mapping(disk).get("size") not in (None, "smallest", "largest"):
            yield warning("storage.layout.match.size", "it is ignored", "smallest or largest", ERASED)
