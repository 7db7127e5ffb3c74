"""The PCI bus: cards that are seated against GPUs that the driver sees, and the links between card and slot."""

from __future__ import annotations

from collections.abc import Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Card, Machine

SEEN = Topic("gpu-bus", "A card that is on the bus but not in the driver is dead weight: nothing can use it.")
WIDTH = Topic(
    "gpu-link-width", "On fewer lanes data reach the GPU more slowly, often by a card that is not fully seated."
)
SPEED = Topic("gpu-link-speed", "A slot of an older PCIe generation halves the speed of copies with each generation.")

#: NVML's words for a GPU that works again after a reset.
RESET_REQUIRED = "GPU requires restart"

#: What Windows's driver gives to WSL.
_OF_WINDOWS = "usr/lib/wsl/lib"

RESEAT = "power off, seat the card and its power plugs again; then try another slot or riser cable"


def checks(machine: Machine) -> Iterator[Check]:
    cards = machine.cards
    yield SEEN.of(lambda: _gpus_on_bus(machine, cards))
    if not cards:
        yield from (topic.not_applicable("no NVIDIA GPU on the bus") for topic in (WIDTH, SPEED))
        return
    if machine.portable:
        links = ", ".join(f"{card.address} ×{card.text('current_link_width') or '?'}" for card in cards)
        yield from (topic.ok(f"{links}, as it is built into this computer") for topic in (WIDTH, SPEED))
        return
    yield WIDTH.worst(
        (trouble for card in cards if (trouble := _width(card))),
        ", ".join(_shown_width(card) for card in cards),
    )
    # What card and slot can: the speed of the moment falls whenever a GPU is idle, so that burn-in looks at it.
    yield SPEED.ok(", ".join(_shown_speed(card) for card in cards))


def _gpus_on_bus(machine: Machine, cards: tuple[Card, ...]) -> Check:
    gpus = machine.nvml.gpus
    if lost := [gpu for gpu in gpus if gpu.lost]:
        words = ", ".join(f"GPU {gpu.index} {gpu.address}: {gpu.lost}".replace(" :", ":") for gpu in lost)
        if all(gpu.lost == RESET_REQUIRED for gpu in lost) and not machine.container:
            numbers = ",".join(str(gpu.index) for gpu in lost)
            return SEEN.failed(
                words, f"sudo nvidia-smi --gpu-reset --id={numbers}, once no program uses it; else sudo reboot"
            )
        return SEEN.failed(words, f"sudo reboot; if it comes back: {RESEAT}")
    if not cards:
        if gpus:
            return SEEN.ok(f"{len(gpus)} in the driver; the bus is not to be seen from here")
        if machine.nvml.error and machine.wsl and any((machine.root / _OF_WINDOWS).glob("libcuda.so*")):
            return SEEN.failed(f"Windows's driver does not answer: {machine.nvml.error}", "wsl --shutdown, in Windows")
        return SEEN.not_applicable("no NVIDIA GPU on the PCI bus")
    if machine.nvml.error:
        return SEEN.failed(
            f"{len(cards)} on the bus, but the driver does not answer: {machine.nvml.error}",
            "see driver-module and driver-user-space",
        )
    missing = [card for card in cards if card.address not in {gpu.address for gpu in gpus}]
    if missing and machine.container:
        return SEEN.ok(f"{len(gpus)} of {len(cards)} on the bus were given to this container")
    others = [card for card in missing if card.driver not in ("", "nvidia")]
    if missing and others == missing:
        foreign = ", ".join(f"{card.address} ({card.driver})" for card in others)
        return SEEN.ok(f"{len(cards)} on the bus, {len(gpus)} in the driver, others with another one: {foreign}")
    if dead := [card.address for card in missing if card not in others]:
        measured = f"on the bus but not in the driver: {', '.join(dead)} ({len(gpus)} of {len(cards)} work)"
        return SEEN.failed(measured, f"sudo dmesg | grep -i nvrm says why; {RESEAT}")
    return SEEN.ok(f"{len(cards)} on the bus, {len(gpus)} in the driver")


def _width(card: Card) -> Check | None:
    now, able, slot = (
        _number(card, "current_link_width"),
        _number(card, "max_link_width"),
        _number(card.slot, "max_link_width"),
    )
    if not now or not able or now >= able:
        return None
    # As much as its slot has is as good as this machine gets.
    if slot and now >= slot:
        return None
    return WIDTH.warning(f"{card.address} ×{now}, though card and slot can ×{min(able, slot or able)}", RESEAT)


def _shown_width(card: Card) -> str:
    able, slot = _number(card, "max_link_width"), _number(card.slot, "max_link_width")
    text = f"{card.address} ×{card.text('current_link_width') or '?'}"
    return f"{text} (the card can ×{able}, its slot ×{slot})" if 0 < slot < able else text


def _shown_speed(card: Card) -> str:
    able, slot = card.transfers, card.slot.transfers
    if 0 < slot < able:
        return f"{card.address} up to {slot:g} GT/s (the card can {able:g} GT/s, its slot {slot:g} GT/s)"
    return f"{card.address} up to {card.text('max_link_speed') or '?'}"


def _number(card: Card, name: str) -> int:
    text = card.text(name)
    return int(text) if text.isdecimal() else 0
