"""The cards that this machine had, remembered at its first start, and how many its stack expects.

A card that is gone leaves no error behind: only who knows that it was there can miss it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.doctor.machine import Card, Machine
from rigforge.plain import line

#: Written by `rigforge-doctor remember`, at the first start by a unit of the machine's.
FILE = "var/lib/rigforge/cards.json"

#: Written with the layers of a stack that says `[gpu] expect`.
EXPECTED = "etc/rigforge/gpu.conf"
EXPECT = "RIGFORGE_GPU_EXPECT"

#: Bytes, and cards: nobody has more.
LARGEST = 64 * 1024
MOST = 256

#: Link widths that there are (PCI Express base specification, Link Capabilities); a card that sleeps tells others.
_WIDTHS = (1, 2, 4, 8, 12, 16, 32)


@dataclass(frozen=True)
class RecordedCard:
    """A card as it was seen. `device` is its PCI id, `width` in lanes, `speed` in GT/s: what its link can do.

    `uuid` and `name` are empty where the driver did not tell them, `width` and `speed` where sysfs did not.
    `removable`: it may leave without a fault (Thunderbolt, a laptop that switches it off).
    """

    address: str
    device: str
    uuid: str = ""
    name: str = ""
    width: int = 0
    speed: float = 0.0
    removable: bool = False

    @property
    def shown(self) -> str:
        return f"{self.name or f'10de:{self.device}'} at {self.address}"


@dataclass(frozen=True)
class InventoryRecord:
    """The cards that were recorded, since when (a date), and of which machine (a digest of its id)."""

    since: str
    machine: str
    cards: tuple[RecordedCard, ...]


@dataclass
class Changes:
    """Differences of the cards of now from those recorded; pairs are (recorded, now)."""

    same: list[tuple[RecordedCard, RecordedCard]] = field(default_factory=list)
    moved: list[tuple[RecordedCard, RecordedCard]] = field(default_factory=list)
    exchanged: list[tuple[RecordedCard, RecordedCard]] = field(default_factory=list)
    gone: list[RecordedCard] = field(default_factory=list)
    new: list[RecordedCard] = field(default_factory=list)


def present(machine: Machine) -> tuple[RecordedCard, ...]:
    """Returns the cards on the bus, with what the driver knows of them; no virtual functions."""
    of_driver = {gpu.address: gpu for gpu in machine.nvml.gpus}
    cards = []
    for card in machine.cards:
        if (card.directory / "physfn").exists():
            continue
        gpu = of_driver.get(card.address)
        cards.append(
            RecordedCard(
                card.address,
                card.text("device").removeprefix("0x"),
                gpu.uuid if gpu else "",
                gpu.name if gpu else "",
                _width(card),
                min(card.transfers, card.slot.transfers),
                machine.portable or _removable(card),
            )
        )
    return tuple(cards)


def expected(machine: Machine) -> int | None:
    """Returns how many cards the machine's stack expects; None where it does not say, or nothing that is a number."""
    for row in machine.text(EXPECTED).splitlines():
        name, _, value = row.partition("=")
        if name.strip() == EXPECT and value.strip().isascii() and value.strip().isdecimal() and len(value) < 9:
            return int(value)
    return None


def identity(machine: Machine) -> str:
    """Returns a digest of the machine's id (machine-id(5) is not to be shown); "" where it has none."""
    machine_id = machine.text("etc/machine-id")
    return hashlib.sha256(f"rigforge cards {machine_id}".encode()).hexdigest()[:32] if machine_id else ""


def read(machine: Machine) -> InventoryRecord | None:
    """Returns what was remembered; None where nothing was, or of another machine: a disk's copy took it along.

    Raises ValueError where the file is none that `write` made.
    """
    file = machine.root / FILE
    if not file.exists():
        return None
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST // 1024} KiB")
        document = json.loads(content)
        cards = tuple(_card(entry) for entry in document["cards"][:MOST])
        memory = InventoryRecord(line(str(document["since"])[:10]), str(document["machine"]), cards)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no list of cards ({type(error).__name__})") from error
    if not cards:
        raise ValueError("it has no card")
    return memory if memory.machine == identity(machine) else None


def write(machine: Machine, cards: Iterable[RecordedCard]) -> Path:
    """Remembers `cards`, in place of what was remembered: whole or not at all. Raises OSError."""
    file = machine.root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    since = time.strftime("%Y-%m-%d", time.gmtime())
    content = {"since": since, "machine": identity(machine), "cards": [asdict(card) for card in cards]}
    with atomic.making(file) as new:
        new.write_text(json.dumps(content, indent=2) + "\n")
        new.chmod(0o644)
    return file


def compare(before: Iterable[RecordedCard], now: Iterable[RecordedCard]) -> Changes:
    """Returns what became of the remembered cards: known by UUID, and where one is missing by slot and device."""
    changes, absent, unpaired = Changes(), list(before), list(now)

    def pair(kind: list[tuple[RecordedCard, RecordedCard]], *, fits: Any) -> None:
        for old in tuple(absent):
            if match := next((card for card in unpaired if fits(old, card)), None):
                kind.append((old, match))
                absent.remove(old)
                unpaired.remove(match)

    def unnamed(old: RecordedCard, card: RecordedCard) -> bool:
        return old.device == card.device and not (old.uuid and card.uuid)

    def at_home(old: RecordedCard, card: RecordedCard) -> bool:
        return old.address == card.address

    pair(changes.same, fits=lambda old, card: old.uuid == card.uuid != "" and at_home(old, card))
    pair(changes.moved, fits=lambda old, card: old.uuid == card.uuid != "")
    pair(changes.same, fits=lambda old, card: unnamed(old, card) and at_home(old, card))
    pair(changes.exchanged, fits=at_home)
    pair(changes.moved, fits=unnamed)
    changes.gone, changes.new = absent, unpaired
    return changes


def _card(entry: Any) -> RecordedCard:
    texts = {name: line(str(entry[name])[:200]) for name in ("address", "device", "uuid", "name")}
    width, speed = entry["width"], entry["speed"]
    if not isinstance(width, int) or not isinstance(speed, int | float) or not isinstance(entry["removable"], bool):
        raise TypeError("width, speed or removable")
    return RecordedCard(**texts, width=width, speed=float(speed), removable=entry["removable"])


def _width(card: Card) -> int:
    text = card.text("current_link_width")
    width = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    return width if width in _WIDTHS else 0


def _removable(card: Card) -> bool:
    """Says whether the kernel takes the card, or a bridge on the way to it, for one that the user may unplug.

    (Documentation/ABI/testing/sysfs-devices-removable; for PCI it stands below an external-facing port.)
    """
    device = card.directory.resolve()
    return any(
        Card("", place).text("removable") == "removable" or Card("", place).text("external_facing") == "1"
        for place in (device, *device.parents)
        if ":" in place.name
    )
