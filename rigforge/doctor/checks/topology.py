"""How GPUs reach each other and the processors: peer-to-peer and NUMA nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Card, Machine
from rigforge.doctor.nvml import Nvml

PEERS = Topic(
    "gpu-peers", "Without peer-to-peer, data between GPUs go through main memory; training on several is slower."
)
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


def checks(machine: Machine) -> Iterator[Check]:
    yield PEERS.of(lambda: _peers(machine.nvml))
    yield NUMA.of(lambda: _nodes(machine.cards))


def _peers(nvml: Nvml) -> Check:
    if len(nvml.gpus) < 2:
        return PEERS.not_applicable("fewer than two GPUs in the driver")
    if nvml.apart is None:
        return PEERS.not_applicable("the driver does not say")
    return _apart(nvml.apart) if nvml.apart else PEERS.ok(f"between all {len(nvml.gpus)} GPUs")


def _nodes(cards: Iterable[Card]) -> Check:
    nodes = {card.address: card.text("numa_node") for card in cards}
    if not nodes:
        return NUMA.not_applicable("no NVIDIA GPU on the bus")
    if len(set(nodes.values()) - {"-1"}) > 1:
        shown = ", ".join(f"{address} on node {node}" for address, node in nodes.items())
        return NUMA.ok(f"{shown}; numactl --cpunodebind=NODE keeps a process near its GPU")
    return NUMA.ok("all GPUs on one node")


def _apart(pairs: Iterable[tuple[int, int, int]]) -> Check:
    by_reason: dict[int, list[str]] = {}
    for one, other, state in pairs:
        by_reason.setdefault(state if state in _REASONS else 6, []).append(f"{one}–{other}")
    told = {state: f"none between GPUs {', '.join(named)}: {_REASONS[state][0]}" for state, named in by_reason.items()}
    return PEERS.worst(
        (PEERS.warning(text, _REASONS[state][1]) for state, text in told.items() if _REASONS[state][1]),
        "; ".join(told.values()),
    )
