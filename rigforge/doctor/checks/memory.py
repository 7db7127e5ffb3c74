"""Main memory and swap."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.rules.sizes import GIB, in_gib

MEMORY = Topic(
    "memory", "Loading a model needs as much main memory as the GPU gets; less than that ends in the OOM killer."
)
SWAP = Topic("swap", "Memory that is swapped out in the middle of training costs more time than a GPU saves.")

_SIZE = re.compile(r"^(\w+): *(\d{1,15}) kB$", re.MULTILINE | re.ASCII)


def checks(machine: Machine) -> Iterator[Check]:
    rows = _SIZE.findall(machine.text("proc/meminfo"))
    sizes = {name: int(number) * 1024 for name, number in rows}
    if "MemTotal" not in sizes:
        yield from (topic.not_applicable("/proc/meminfo does not say") for topic in (MEMORY, SWAP))
        return
    total, free = sizes["MemTotal"], sizes.get("MemAvailable", 0)
    largest = max((gpu.memory or 0 for gpu in machine.nvml.gpus), default=0)
    measured = f"{in_gib(total)}, {in_gib(free)} available"
    if free < total / 20:
        yield MEMORY.warning(measured, "ps aux --sort=-rss | head shows who has it")
    elif total < largest:
        yield MEMORY.warning(
            f"{measured}; the largest GPU has {in_gib(largest, 0)}", "add memory, or load models in parts (mmap)"
        )
    else:
        yield MEMORY.ok(measured)
    swap, unused = sizes.get("SwapTotal", 0), sizes.get("SwapFree", 0)
    used = f"{(swap - unused) / GIB:.1f} of {in_gib(swap)} in use"
    if swap and unused < swap / 2 and swap - unused > GIB:
        yield SWAP.warning(used, "end what fills the memory: ps aux --sort=-rss | head")
    else:
        yield SWAP.ok(used if swap else "none")
