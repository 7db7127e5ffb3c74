"""Locale, keyboard and time zone, checked against the data of the system at hand where it has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rigforge.installer.section import DocumentSection, did_you_mean

_LOCALES = "usr/share/i18n/SUPPORTED"
_KEYBOARDS = "usr/share/X11/xkb/rules/base.lst"
_ZONES = "usr/share/zoneinfo"


@dataclass(frozen=True)
class Keyboard:
    """A console keyboard in the terms of xkeyboard-config(7)."""

    layout: str = "us"
    variant: str = ""


def locale(top: DocumentSection, root: Path) -> str:
    """Returns `locale`, one in UTF-8: as in `de_DE.UTF-8`, `C.UTF-8`, `sr_RS@latin`."""
    name = top.text("locale", "en_US.UTF-8")
    if not re.fullmatch(r"C\.UTF-8|[a-z]{2,3}(_[A-Z]{2})?(\.UTF-8|@[a-z]+)", name):
        raise top.error("locale", f"{name!r} is not the name of a UTF-8 locale", "as in en_US.UTF-8 or C.UTF-8")
    supported = root / _LOCALES
    if name != "C.UTF-8" and supported.is_file():
        names = [line.split()[0] for line in supported.read_text().splitlines() if line.endswith(" UTF-8")]
        if name not in names:
            raise top.error("locale", f"unknown locale {name!r}", did_you_mean(name, names))
    return name


def keyboard(top: DocumentSection, root: Path) -> Keyboard:
    """Returns the `keyboard` section."""
    if top.get("keyboard") is None:
        return Keyboard()
    section = DocumentSection(top.where, "keyboard", top.get("keyboard"), ("layout", "variant", "toggle"))
    if section.get("toggle") is not None:
        raise section.error("toggle", "one layout only, so there is nothing to toggle", "leave the key out")
    layout, variant = section.text("layout"), section.text("variant", "")
    for key, value, pattern in (("layout", layout, r"[a-z][a-z0-9_-]*"), ("variant", variant, r"[A-Za-z0-9_-]*")):
        if not re.fullmatch(pattern, value):
            raise section.error(key, f"{value!r} is not a keyboard {key}", "as in layout: us, variant: intl")
    data = root / _KEYBOARDS
    if data.is_file():
        layouts, variants = _keyboards(data)
        if layout not in layouts:
            raise section.error("layout", f"unknown keyboard layout {layout!r}", did_you_mean(layout, layouts))
        if variant and variant not in variants.get(layout, []):
            names = variants.get(layout, [])
            hint = did_you_mean(variant, names) or f"{layout} has: {', '.join(names) or 'no variants'}"
            raise section.error("variant", f"layout {layout!r} has no variant {variant!r}", hint)
    return Keyboard(layout, variant)


def timezone(top: DocumentSection, root: Path) -> str:
    """Returns `timezone`, a name of the tz database."""
    name = top.text("timezone", "Etc/UTC")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*)*", name) or name == "geoip":
        raise top.error("timezone", f"{name!r} is not a time zone", "as in Europe/Vienna or Etc/UTC")
    zones = root / _ZONES
    if (zones / "Etc/UTC").is_file() and not (zones / name).is_file():
        names = [str(path.relative_to(zones)) for path in zones.glob("[A-Z]*/**/*") if path.is_file()]
        raise top.error("timezone", f"unknown time zone {name!r}", did_you_mean(name, names) or "as in Europe/Vienna")
    return name


def _keyboards(data: Path) -> tuple[list[str], dict[str, list[str]]]:
    layouts: list[str] = []
    variants: dict[str, list[str]] = {}
    heading = ""
    for line in data.read_text(errors="replace").splitlines():
        if line.startswith("!"):
            heading = line[1:].strip()
        elif heading == "layout" and line.strip():
            layouts.append(line.split()[0])
        elif heading == "variant" and line.strip():
            name, layout = line.split()[:2]
            variants.setdefault(layout.rstrip(":"), []).append(name)
    return layouts, variants
