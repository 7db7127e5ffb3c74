"""NVIDIA's cards, found by what people type. Their tables beside this file, gpus.toml and chips.toml, name sources."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

from rigforge.compat.tables import compute_capability, read
from rigforge.errors import RigforgeError
from rigforge.rules.nearest import nearest

#: Words that add nothing to a card's name, and those that tell its variants of one chip apart.
_NOISE = re.compile(r"nvidia|geforce|tesla|quadro|generation|\(.*?\)")
_VARIANT = re.compile(r"\b(sxm\d?|pcie|nvl|hbm\d?e?|\d+ ?gb?)\b")
_SERIES = re.compile(r"^(rtx|gtx|gt)(?=[a-z]*\d)")
_CAPABILITY = re.compile(r"(?:sm_?)?(\d{1,2})\.?(\d)", re.ASCII)
_PCI = re.compile(r"(?:10de:|0x)(?P<device>[0-9a-f]{4})")


@dataclass(frozen=True)
class Gpu:
    """A card. `power` (watts), `memory` (GB) and `slots` are the reference board's; 0 where it is not known.

    `processor` is the architecture of the one that it is built together with; empty for a card of its own.
    """

    name: str
    compute_capability: str
    architecture: str = ""
    pci: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    power: int = 0
    memory: float = 0
    slots: int = 0
    processor: str = ""

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability as numbers."""
        return compute_capability(self.compute_capability)

    @property
    def needs(self) -> tuple[tuple[int, int], str]:
        """What decides which driver and PyTorch go with it: cards with the same need the same."""
        return self.capability, self.processor


@cache
def cards() -> tuple[Gpu, ...]:
    """Returns the cards of the table."""
    return tuple(
        Gpu(
            row["name"],
            row["compute_capability"],
            row["architecture"],
            tuple(row["pci"]),
            tuple(row.get("aliases", ())),
            row.get("power", 0),
            row.get("memory", 0),
            row.get("slots", 0),
            row.get("processor", ""),
        )
        for row in read("gpus")["gpu"]
    )


@cache
def further_cards() -> tuple[Gpu, ...]:
    """Returns the cards that are known by their chip alone, which says the compute capability; of one name one."""
    table = read("chips")
    devices: dict[tuple[str, str], list[str]] = {}
    capabilities: dict[str, set[str]] = {}
    architectures: dict[str, str] = {}
    for chip in table["chip"]:
        architectures[chip["compute_capability"]] = chip["architecture"]
        for device, name in chip["cards"].items():
            devices.setdefault((name, chip["compute_capability"]), []).append(device)
            capabilities.setdefault(name, set()).add(chip["compute_capability"])
    return tuple(
        Gpu(
            name if len(capabilities[name]) == 1 else f"{name} ({capability})",
            capability,
            architectures[capability],
            tuple(ids),
            processor=next(
                (processor for processor, begin in table["processors"].items() if name.startswith(tuple(begin))), ""
            ),
        )
        for (name, capability), ids in devices.items()
    )


def by_pci(device: str) -> Gpu | None:
    """Returns the card with a device id of vendor 10de, in hex."""
    return _by_device().get(device.lower())


@cache
def _by_device() -> dict[str, Gpu]:
    """Returns the cards by device id; where a name is in both tables it is the card of which more is known."""
    by_name = {(card.name.lower(), card.compute_capability): card for card in cards()}
    by_device = {
        device: by_name.get((card.name.lower(), card.compute_capability), card)
        for card in further_cards()
        for device in card.pci
    }
    return by_device | {device: card for card in cards() for device in card.pci}


def find(text: str) -> Gpu:
    """Returns the card that somebody means.

    By name ("4090", "GeForce RTX 4090"), PCI id ("10de:2684"), compute capability ("8.9", "sm_89"), or both
    for a card that the table has not ("My card=8.9").

    Raises RigforgeError where it is no card, or can be several that differ in what they need.
    """
    folded = text.strip().lower()
    if pci := _PCI.fullmatch(folded):
        if card := by_pci(pci["device"]):
            return card
        raise _unknown(text, ())
    name, equals, stated = text.rpartition("=")
    if equals and (capability := _CAPABILITY.fullmatch(stated.strip().lower())):
        return Gpu(name.strip(), f"{capability[1]}.{capability[2]}")
    if ("." in folded or folded.startswith("sm")) and (capability := _CAPABILITY.fullmatch(folded)):
        dotted = f"{capability[1]}.{capability[2]}"
        return Gpu(f"compute capability {dotted}", dotted)
    if exact := _by_name().get(folded):
        return exact
    for form in (folded, _VARIANT.sub("", folded)):
        if matches := _cards_named(_key(form)):
            if len({card.compute_capability for card in matches}) > 1:
                raise RigforgeError(
                    f"GPU {text!r} can be {_or(card.name for card in matches[:6])}", "give more of its name"
                )
            return _family(matches)
    raise _unknown(text, _nearest(_key(folded)))


def _family(matches: tuple[Gpu, ...]) -> Gpu:
    """Returns the card or, where several have the name, what they have in common."""
    if len(matches) == 1:
        return matches[0]
    words = zip(*(re.split("[ -]", card.name) for card in matches), strict=False)
    common = " ".join(same[0] for same in takewhile(lambda same: len(set(same)) == 1, words))
    first = matches[0]
    return Gpu(common or first.name, first.compute_capability, first.architecture, processor=first.processor)


@cache
def _by_name() -> dict[str, Gpu]:
    return {card.name.lower(): card for card in (*further_cards(), *cards())}


def _cards_named(key: str) -> tuple[Gpu, ...]:
    """Returns the cards with this name; else those with it but for the series; else those whose names begin so.

    Those of which more is known come first.
    """
    tables = (_index(cards()), _index(further_cards()))
    short = _SERIES.sub("", key)
    forms = (key, f"/{short}") if short == key else (key,)
    wholes = (whole.get(form) for whole, _ in tables for form in forms)
    return next(filter(None, (*wholes, *(beginnings.get(key) for _, beginnings in tables))), ())


@cache
def _index(cards: tuple[Gpu, ...]) -> tuple[dict[str, tuple[Gpu, ...]], dict[str, tuple[Gpu, ...]]]:
    """Returns the cards by their names (after a slash, without the series), and by the first words of their names."""
    whole: dict[str, tuple[Gpu, ...]] = {}
    beginnings: dict[str, tuple[Gpu, ...]] = {}
    for card in cards:
        for name in (card.name, *card.aliases):
            key, words = _key(name), _words(name)
            for form in {key, f"/{_SERIES.sub('', key)}"}:
                whole[form] = (*whole.get(form, ()), card)
            first = ["".join(words[:count]) for count in range(1, len(words))]
            for form in {*first, *(_SERIES.sub("", each) for each in first)}:
                beginnings[form] = (*beginnings.get(form, ()), card)
    return whole, beginnings


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", _NOISE.sub("", name.lower()))


def _key(name: str) -> str:
    return "".join(_words(name))


def _nearest(key: str) -> tuple[str, ...]:
    whole, _ = _index(cards())
    near = nearest(key, whole, most=6, cutoff=0.5)
    return tuple(dict.fromkeys(card.name for near_key in near for card in whole[near_key]))[:4]


def _unknown(text: str, near: tuple[str, ...]) -> RigforgeError:
    meant = f"did you mean {_or(near)}? " if near else ""
    return RigforgeError(
        f"GPU {text!r} is not known",
        f'{meant}A card that is not in the table is told with its compute capability: --gpu "NAME=8.9"',
    )


def _or(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
