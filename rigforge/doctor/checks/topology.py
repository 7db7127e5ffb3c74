"""How GPUs reach each other and the processors: peer-to-peer and NUMA nodes."""

from __future__ import annotations

from collections.abc import Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine

PEERS = Topic(
    "gpu-peers", "Without peer-to-peer, data between GPUs go through main memory; training on several is slower."
)
NUMA = Topic("gpu-numa", "A process on the other processor's node reaches its GPU more slowly.")


def checks(machine: Machine) -> Iterator[Check]:
    nvml, cards = machine.nvml, machine.cards
    if len(nvml.gpus) < 2:
        yield PEERS.not_applicable("fewer than two GPUs in the driver")
    elif nvml.apart is None:
        yield PEERS.not_applicable("the driver does not say")
    elif nvml.apart:
        pairs = ", ".join(f"{one}–{other}" for one, other in nvml.apart)
        # Cards for games have none by design, so that it is a fact and not a fault.
        yield PEERS.ok(f"none between GPUs {pairs}: usual for cards of the GeForce line")
    else:
        yield PEERS.ok(f"between all {len(nvml.gpus)} GPUs")
    nodes = {card.address: card.text("numa_node") for card in cards}
    if not nodes:
        yield NUMA.not_applicable("no NVIDIA GPU on the bus")
    elif len(set(nodes.values()) - {"-1"}) > 1:
        shown = ", ".join(f"{address} on node {node}" for address, node in nodes.items())
        yield NUMA.ok(f"{shown}; numactl --cpunodebind=NODE keeps a process near its GPU")
    else:
        yield NUMA.ok("all GPUs on one node")
