"""The list of PCI ids: the cards of one vendor, by chip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CHIP = re.compile(r"[A-Z]{2}\d\d[0-9B]")
_NAMED = re.compile(r"\[(.+)\]")


@dataclass(frozen=True)
class Listed:
    """A card as the list has it: chip ("GB203") and product; the chip's own name where it has none."""

    chip: str
    name: str


def version_of(text: str) -> str:
    """Returns the day that the list says it is of, "2026.10.24"; "" where it does not."""
    match = re.search(r"^#\s+Version:\s+([\d.]+)", text, re.MULTILINE)
    return match[1] if match else ""


def cards(text: str, vendor: str, no_card: str) -> dict[str, Listed]:
    """Returns a vendor's cards by device id; what matches `no_card` is none."""
    listing: dict[str, Listed] = {}
    ours = False
    for line in text.splitlines():
        if re.match(r"[0-9a-f]{4} ", line):
            ours = line.startswith(vendor)
        elif ours and (device := re.match(r"\t([0-9a-f]{4})  (.+)", line)):
            listed = device[2].strip()
            chip = _CHIP.match(listed)
            if chip and not re.search(no_card, listed):
                name = _NAMED.search(listed)
                listing[device[1]] = Listed(chip[0], name[1] if name else listed.split()[0])
    return listing


def as_json(listed: Mapping[str, Listed]) -> dict[str, str]:
    """Returns cards as the snapshot keeps them: device id to "GB203 [name]"."""
    return {device: f"{card.chip} [{card.name}]" for device, card in sorted(listed.items())}


def from_json(kept: Mapping[str, str]) -> dict[str, Listed]:
    """Returns cards from how the snapshot keeps them."""
    return {device: Listed(text.partition(" ")[0], text.partition(" ")[2][1:-1]) for device, text in kept.items()}
