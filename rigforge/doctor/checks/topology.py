"""Ways of GPUs to each other and to the processors: peer-to-peer and NUMA nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Card, Machine
from rigforge.doctor.nvml import Nvml

PEERS = Topic(
    "gpu-peers", "Without peer-to-peer, data between GPUs go through main memory; training on several is slower."
)
DETOUR = Topic("gpu-peers-path", "Peer-to-peer that goes through the processor is slow, and on some boards it hangs.")
NUMA = Topic("gpu-numa", "A process on the other processor's node reaches its GPU more slowly.")


#: What keeps two GPUs apart (nvml.h, nvmlGpuP2PStatus_t), and what cures it. Cards for games have no peer-to-peer by
#: design, so that it is a fact and not a fault.
_SLOTS = "put the cards into slots of one processor, and switch ACS off in the firmware's setup"
_REASONS = {
    1: ("the chipset does not pass it on", _SLOTS),
    2: ("usual for cards of the GeForce line", ""),
    3: ("they are on different I/O hubs", _SLOTS),
    4: ("it is switched off in the driver's settings", "grep -r RegistryDwords /etc/modprobe.d shows by which file"),
    5: ("the driver does not support it for this pair", ""),
    6: ("the driver does not know why", "sudo dmesg | grep -i nvrm"),
}


#: Types of an IOMMU's group in which it translates addresses (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
_TRANSLATED = ("DMA", "DMA-FQ")

_PASS_THROUGH = "add iommu=pt to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, then: sudo update-grub && sudo reboot"

#: The extended capability Access Control Services, where its control register is, and the two bits of it that send
#: peer-to-peer requests and their answers upwards (PCI Express base specification, ACS Extended Capability).
_ACS, _CONTROL, _REDIRECT = 0x000D, 6, 0x0C
_FIRST, _END = 0x100, 0x1000


def checks(machine: Machine) -> Iterator[Check]:
    yield PEERS.of(lambda: _peers(machine.nvml))
    yield DETOUR.of(lambda: _detour(machine))
    yield NUMA.of(lambda: _nodes(machine.cards))


def _peers(nvml: Nvml) -> Check:
    if len(nvml.gpus) < 2:
        return PEERS.not_applicable("fewer than two GPUs in the driver")
    if nvml.apart is None:
        return PEERS.not_applicable("the driver does not say")
    return _missing_links(nvml.apart) if nvml.apart else PEERS.ok(f"between all {len(nvml.gpus)} GPUs")


def _detour(machine: Machine) -> Check:
    """Looks at what lies between GPUs that reach each other over PCIe.

    (NVIDIA: CUDA C++ Programming Guide, IOMMU on Linux; NCCL, Troubleshooting, PCI Access Control Services.)
    """
    gpus, cards = machine.nvml.gpus, machine.cards
    if len(gpus) < 2 or len(cards) < 2 or machine.nvml.apart != ():
        return DETOUR.not_applicable("no two GPUs that reach each other over PCIe")
    if any(gpu.health.links for gpu in gpus):
        return DETOUR.not_applicable("the GPUs talk over NVLink")
    translated = [card for card in cards if card.text("iommu_group/type") in _TRANSLATED]
    troubles = []
    if translated and not machine.container:
        kind = translated[0].text("iommu_group/type")
        troubles.append(
            DETOUR.warning(
                f"the IOMMU translates what {len(translated)} GPUs send ({kind}); CUDA does not support that for "
                "peer-to-peer",
                _PASS_THROUGH,
            )
        )
    if ports := sorted({port for card in cards for port in _redirecting(card)}):
        troubles.append(
            DETOUR.warning(
                f"ACS sends peer-to-peer through the processor at {', '.join(ports)}",
                "switch ACS off in the firmware's setup, or until the next boot: "
                + "; ".join(f"sudo setpci -s {port} ECAP_ACS+0x6.w=0000" for port in ports),
            )
        )
    return DETOUR.worst(troubles, "nothing in between")


def _redirecting(card: Card) -> Iterator[str]:
    """Yields the addresses of the PCIe switches' ports above a card that redirect.

    A root port is left out: what leaves it goes through the processor anyway.
    """
    for port in card.directory.resolve().parents:
        if not _is_device(port) or not _is_device(port.parent):
            return
        try:
            space = (port / "config").read_bytes()[:_END]
        except OSError:
            continue
        if _control(space) & _REDIRECT:
            yield port.name


def _is_device(place: Path) -> bool:
    return place.name.count(":") == 2


def _control(space: bytes) -> int:
    """Returns the control register of ACS in a configuration space; 0 without, or where only root sees that far."""
    place = _FIRST
    for _ in range(_END // 8):
        head = int.from_bytes(space[place : place + 4], "little")
        if head & 0xFFFF == _ACS:
            return int.from_bytes(space[place + _CONTROL : place + _CONTROL + 2], "little")
        place = head >> 20
        if place < _FIRST:
            return 0
    return 0


def _nodes(cards: Iterable[Card]) -> Check:
    nodes = {card.address: card.text("numa_node") for card in cards}
    if not nodes:
        return NUMA.not_applicable("no NVIDIA GPU on the bus")
    if len(set(nodes.values()) - {"-1"}) > 1:
        words = ", ".join(f"{address} on node {node}" for address, node in nodes.items())
        return NUMA.ok(f"{words}; numactl --cpunodebind=NODE keeps a process near its GPU")
    return NUMA.ok("all GPUs on one node")


def _missing_links(pairs: Iterable[tuple[int, int, int]]) -> Check:
    by_reason: dict[int, list[str]] = {}
    for one, other, state in pairs:
        by_reason.setdefault(state if state in _REASONS else 6, []).append(f"{one}–{other}")
    words = {
        state: f"none between GPUs {', '.join(indices)}: {_REASONS[state][0]}" for state, indices in by_reason.items()
    }
    return PEERS.worst(
        (PEERS.warning(text, _REASONS[state][1]) for state, text in words.items() if _REASONS[state][1]),
        "; ".join(words.values()),
    )
