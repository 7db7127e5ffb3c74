"""The number of cards: those of the first start, and as many as the stack says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rigforge.doctor import card_inventory
from rigforge.doctor.card_inventory import Changes, RecordedCard
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine

CARDS = Topic("gpu-cards", "A card that is gone leaves no error behind: the machine just has one less.")

REMEMBER = "sudo rigforge-doctor remember"
ACCEPT = f"{REMEMBER}, if you put it there"
RESEAT = "power off, seat the card and its power plugs again, try another slot or riser cable"


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield CARDS.not_applicable("the host's, in a container")
    elif "rigforge.mode" in machine.text("proc/cmdline"):
        yield CARDS.not_applicable("a live session has the cards of any machine")
    else:
        yield CARDS.of(lambda: _cards(machine))


def _cards(machine: Machine) -> Check:
    now, expected = card_inventory.present(machine), card_inventory.expected(machine)
    if not now and machine.nvml.gpus:
        return CARDS.not_applicable("the bus is not to be seen from here")
    troubles: list[Check] = []
    changes, since = Changes(), ""
    try:
        if memory := card_inventory.read(machine):
            changes, since = card_inventory.compare(memory.cards, now), memory.since
            troubles += _changed(changes, since)
    except ValueError as error:
        troubles.append(CARDS.warning(f"/{card_inventory.FILE} cannot be read: {error}", f"{REMEMBER} writes it anew"))
    away = [card for card in changes.gone if card.removable]
    # Where those that are gone are the ones that miss, that was said.
    if expected is not None and len(now) + len(changes.gone) < expected:
        measured = f"{len(now)} on the bus, the stack expects {expected}"
        troubles.insert(0, CARDS.failed(measured, f"{RESEAT}; [gpu] expect in the stack says how many there should be"))
    if not troubles and not since and expected is None:
        remember = f": {REMEMBER}" if now else ""
        return CARDS.not_applicable(f"{len(now)} on the bus, and none are remembered{remember}")
    return CARDS.worst(troubles, _all_there(now, expected, since, changes, away))


def _changed(changes: Changes, since: str) -> Iterator[Check]:
    for card in changes.gone:
        if not card.removable:
            yield CARDS.failed(
                f"{card.shown} is gone: it was there on {since}{_label(card)}",
                f"{RESEAT}; if it was taken out: {REMEMBER}",
            )
    for old, card in changes.exchanged:
        yield CARDS.warning(f"{card.shown}{_label(card)} is in the slot of {old.shown}{_label(old)}", ACCEPT)
    for card in changes.new:
        if not card.removable:
            yield CARDS.warning(f"{card.shown}{_label(card)} is new since {since}", ACCEPT)


def _label(card: RecordedCard) -> str:
    return f" ({card.uuid})" if card.uuid else ""


def _all_there(
    now: Sequence[RecordedCard], expected: int | None, since: str, changes: Changes, away: Sequence[RecordedCard]
) -> str:
    words = [f"{len(now)} on the bus" + (f", {expected} expected" if expected is not None else "")]
    if since:
        words[0] += f", all that were there on {since}" if not away else ""
    words += [f"{card.shown} is away, as it may be" for card in away]
    words += [f"{card.shown} was at {old.address}" for old, card in changes.moved]
    pairs = (*changes.same, *changes.moved)
    words += [f"{card.shown} had ×{old.width} on {since}" for old, card in pairs if old.width > card.width > 0]
    words += [f"{card.shown} had {old.speed:g} GT/s on {since}" for old, card in pairs if old.speed > card.speed > 0]
    return "; ".join(words)
