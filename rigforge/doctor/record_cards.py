"""`rigforge-doctor remember`: takes the cards of now for those that the machine is to have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rigforge.doctor import card_inventory, nvml
from rigforge.doctor.card_inventory import Changes, RecordedCard
from rigforge.doctor.machine import Machine
from rigforge.errors import RigforgeError
from rigforge.plain import plain


def main(arguments: Sequence[str], machine: Machine | None = None) -> int:
    """Returns the exit code; remembers this machine's cards where no other is given. Raises RigforgeError."""
    options = _options(arguments)
    machine = machine or Machine(nvml.read())
    if machine.container:
        raise RigforgeError("a container has the cards of its host", "run this on the host")
    now = card_inventory.present(machine)
    before = _before(machine)
    if options.first and (not now or (before and not _completed(before, now))):
        return 0
    if not now:
        raise RigforgeError(
            "there is no NVIDIA GPU on the bus, and none is never remembered",
            f"if this machine is to have none any more: sudo rm -f /{card_inventory.FILE}",
        )
    file = _write(machine, now)
    changes = card_inventory.compare(before, now)
    print(plain("\n".join([f"remembered in {file}:", *(f"  {_line(card, changes, before)}" for card in now)])))
    for card in changes.gone:
        print(plain(f"forgotten: {card.shown} {card.uuid}".rstrip()))
    return 0


def _before(machine: Machine) -> tuple[RecordedCard, ...]:
    try:
        memory = card_inventory.read(machine)
    except ValueError:
        return ()
    return memory.cards if memory else ()


def _completed(before: Sequence[RecordedCard], now: Sequence[RecordedCard]) -> bool:
    """Says whether the same cards have a UUID now that they had not: the driver did not run at the first start."""
    changes = card_inventory.compare(before, now)
    apart = changes.moved or changes.exchanged or changes.gone or changes.new
    return not apart and any(card.uuid and not old.uuid for old, card in changes.same)


def _write(machine: Machine, now: Sequence[RecordedCard]) -> Path:
    try:
        return card_inventory.write(machine, now)
    except OSError as error:
        raise RigforgeError(
            f"/{card_inventory.FILE} cannot be written: {error.strerror}", "sudo rigforge-doctor remember"
        ) from error


def _line(card: RecordedCard, changes: Changes, before: Sequence[RecordedCard]) -> str:
    link = f"×{card.width}" if card.width else ""
    kind = "may leave" if card.removable else ""
    new = "new" if before and any(card is other for other in (*changes.new, *_arrived(changes))) else ""
    return ", ".join(word for word in (card.shown, card.uuid, link, kind, new) if word)


def _arrived(changes: Changes) -> list[RecordedCard]:
    return [card for _, card in changes.exchanged]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rigforge-doctor remember",
        description="Remembers the cards that are there now; from then on one that is missing is a failure.",
    )
    parser.add_argument(
        "--first", action="store_true", help="only where none are remembered; without a card it does nothing"
    )
    return parser.parse_args(arguments)
