"""Which stacks drive which cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rigforge.compat.conflict import conflict
from rigforge.compat.gpu import Gpu, by_pci, find
from rigforge.compat.request import build_request
from rigforge.compat.solution import find_solution
from rigforge.errors import RigforgeError
from rigforge.rules.pci import is_nvidia_gpu
from rigforge.stack.model import Stack

#: Stands for the cards of this machine.
HERE = "here"


def cards(texts: Sequence[str], root: Path = Path("/")) -> tuple[str, ...]:
    """Returns the names of the cards that somebody means, as their table has them; `HERE` is those on the PCI bus.

    Raises RigforgeError for a card that nobody knows, and where this machine has none or one that the table has not.
    `root` is where this machine's file system begins.
    """
    return tuple(name for text in texts for name in (_here(root) if text == HERE else [_name(text)]))


def refusal(stack: Stack, gpus: Sequence[str]) -> str:
    """Returns why a stack does not drive cards, by their names; "" where it does."""
    if not gpus:
        return ""
    if not stack.driver.version:
        return "it has no driver for any card"
    for card in map(find, gpus):
        if card.processor not in ("", stack.system.architecture):
            return f"{card.name} is built together with a processor of {card.processor}"
    answer = find_solution(build_request(gpus, {}, stack))
    return "" if answer.combination else ": ".join(conflict(answer)[:2])


def check(stack: Stack, gpus: Sequence[str], others: Iterable[str], loader: Callable[[str], Stack]) -> None:
    """Checks that a stack drives cards. Raises RigforgeError with the first of the `others`, by name, that does."""
    if reason := refusal(stack, gpus):
        able = next((name for name in others if name != stack.name and not refusal(loader(name), gpus)), "")
        way = "the versions that go with them: invoke explain " + " ".join(f'--gpu "{name}"' for name in gpus)
        raise RigforgeError(
            f"stack {stack.name} does not drive {', '.join(gpus)}: {reason}",
            f"take the stack that does: --stack {able}" if able else f"no stack here does; {way}",
        )


def _name(text: str) -> str:
    card: Gpu = find(text)
    # A card that is told by its compute capability is known by that alone.
    return card.name if _known(card) else f"{card.name}={card.compute_capability}"


def _known(card: Gpu) -> bool:
    try:
        return find(card.name).needs == card.needs
    except RigforgeError:
        return False


def _here(root: Path) -> list[str]:
    devices = _devices(root / "sys/bus/pci/devices")
    if not devices:
        raise RigforgeError(
            "--gpu here: this machine has no NVIDIA card on its PCI bus",
            'name the cards of the machine that is to be installed: --gpu "RTX 5090"',
        )
    unknown = [f"10de:{device}" for device in devices if not by_pci(device)]
    if unknown:
        raise RigforgeError(
            f"--gpu here: the table has no card {', '.join(unknown)}",
            'name it with its compute capability: --gpu "NAME=8.9"',
        )
    return [card.name for device in devices if (card := by_pci(device))]


def _devices(bus: Path) -> list[str]:
    """Returns the device ids (hex) of NVIDIA's cards, in the order of the bus."""
    entries = sorted(bus.iterdir()) if bus.is_dir() else []
    texts = [[_text(entry / name) for name in ("vendor", "class", "device")] for entry in entries]
    return [device.strip().removeprefix("0x") for vendor, kind, device in texts if is_nvidia_gpu(vendor, kind)]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
