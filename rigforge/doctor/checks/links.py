"""Errors on the way to a GPU (PCIe) and between GPUs (NVLink), and how much of its memory others reach (BAR1)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.bus import RESEAT
from rigforge.doctor.machine import Card, Machine
from rigforge.doctor.nvml import NvmlGpu
from rigforge.rules.sizes import GIB, MIB, in_gib

ERRORS = Topic("gpu-link-errors", "A link that sends again what was garbled is slow before it fails.")
NVLINK = Topic("gpu-nvlink", "GPUs whose NVLink is down talk over PCIe, at a tenth of the speed.")
BAR1 = Topic("gpu-bar1", "What other devices reach of a GPU's memory at a time; peer-to-peer and RDMA go through it.")

#: Packets a minute that are sent again, above which a link counts as bad (NVIDIA/DCGM, dcgm_gpu_hardware_limits.h:
#: "the maximum recommended by RM"); AER's correctable errors are the same event, seen from the other side.
A_MINUTE = 8
#: Minutes that are taken for the time since the start where the system does not say.
_UNKNOWN = 60

#: Replays and recoveries of NVLink from which it counts as bad, and checksum errors a second (the same header).
LINK_ERRORS, LINK_CRC = 1, 100

#: A line of sysfs's aer_dev_* (Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats): name and count.
_COUNT = re.compile(r"^(\w+) (\d{1,18})$", re.MULTILINE | re.ASCII)
#: Totals, and requests that the other side does not know: the kernel itself causes those when it looks for devices.
_UNCOUNTED = ("TOTAL_", "UnsupReq")


def checks(machine: Machine) -> Iterator[Check]:
    gpus = tuple(gpu for gpu in machine.nvml.gpus if not gpu.lost)
    yield ERRORS.of(lambda: _errors(machine, gpus))
    yield NVLINK.of(lambda: _nvlink(machine, gpus))
    yield BAR1.of(lambda: _bar1(gpus))


def minutes(machine: Machine) -> float:
    """Returns the minutes since the machine was started; an hour where it does not say."""
    first = machine.text("proc/uptime").partition(" ")[0]
    return max(1.0, float(first) / 60) if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", first, re.ASCII) else _UNKNOWN


def _errors(machine: Machine, gpus: Sequence[NvmlGpu]) -> Check:
    if not machine.cards and not gpus:
        return ERRORS.not_applicable("no NVIDIA GPU on the bus")
    limit = A_MINUTE * minutes(machine)
    troubles = [trouble for card in machine.cards for trouble in _of_card(card, limit)]
    replays = {gpu.index: gpu.health.replays for gpu in gpus if gpu.health.replays}
    troubles += [
        ERRORS.warning(f"GPU {index}: {count} packets were sent again, more than {A_MINUTE} a minute", RESEAT)
        for index, count in replays.items()
        if count > limit
    ]
    few = ", ".join(f"GPU {index}: {count} packets sent again" for index, count in replays.items())
    return ERRORS.worst(troubles, few or "none that counts")


def _of_card(card: Card, limit: float) -> Iterator[Check]:
    """Yields what the card and its slot have counted."""
    for device, where in ((card, card.address), (card.slot, f"the slot of {card.address}")):
        for kind in ("fatal", "nonfatal"):
            if counts := _counts(device, kind):
                words = ", ".join(f"{name} ×{count}" for name, count in counts.items())
                trouble = ERRORS.failed if kind == "fatal" else ERRORS.warning
                yield trouble(f"{where}: {kind} errors of PCIe since the start: {words}", RESEAT)
        correctable = _counts(device, "correctable")
        if sum(correctable.values()) > limit:
            worst = max(correctable, key=lambda name: correctable[name])
            total = sum(correctable.values())
            measured = f"{where}: {total} corrected errors of PCIe, most of them {worst}, more than {A_MINUTE} a minute"
            yield ERRORS.warning(measured, RESEAT)


def _counts(device: Card, kind: str) -> dict[str, int]:
    counts = {name: int(count) for name, count in _COUNT.findall(device.text(f"aer_dev_{kind}")[:4096])}
    return {name: count for name, count in counts.items() if count and not name.startswith(_UNCOUNTED)}


def _nvlink(machine: Machine, gpus: Sequence[NvmlGpu]) -> Check:
    linked = [gpu for gpu in gpus if gpu.health.links_there]
    if not linked:
        return NVLINK.not_applicable("these GPUs have no NVLink")
    if not any(gpu.health.links for gpu in linked):
        return NVLINK.not_applicable("no NVLink is up: no bridge is plugged in, or it is switched off")
    troubles = [*_down(linked), *(trouble for gpu in linked if (trouble := _garbled(gpu, minutes(machine))))]
    return NVLINK.worst(troubles, ", ".join(f"GPU {gpu.index}: {gpu.health.links} up" for gpu in linked))


def _down(gpus: Sequence[NvmlGpu]) -> Iterator[Check]:
    """Yields the GPUs that have fewer links than others of their kind; one without any may just have no bridge."""
    alike = defaultdict(list)
    for gpu in gpus:
        alike[gpu.name].append(gpu)
    for kind in alike.values():
        most = max(gpu.health.links or 0 for gpu in kind)
        switched = any(gpu.health.switched for gpu in kind)
        for gpu in kind:
            links = gpu.health.links or 0
            if links < most and (links or switched):
                fix = "sudo dmesg | grep -i nvlink says why" if switched else "power off, and seat the bridge again"
                yield NVLINK.failed(f"GPU {gpu.index}: {links} NVLinks are up, others of its kind have {most}", fix)


def _garbled(gpu: NvmlGpu, since: float) -> Check | None:
    errors, crc = gpu.health.link_errors or 0, gpu.health.link_crc or 0
    if errors < LINK_ERRORS and crc < LINK_CRC * 60 * since:
        return None
    counted = [f"{errors} replays and recoveries"] if errors else []
    counted += [f"{crc} checksum errors"] if crc else []
    fix = f"nvidia-smi nvlink --errorcounters --id={gpu.index} says on which; seat bridge or card again"
    return NVLINK.warning(f"GPU {gpu.index}: NVLink had {' and '.join(counted)} since the driver was loaded", fix)


def _bar1(gpus: Sequence[NvmlGpu]) -> Check:
    with_bar1 = [gpu for gpu in gpus if gpu.health.bar1]
    if not with_bar1:
        return BAR1.not_applicable("no GPU tells")
    most: dict[str, int] = {}
    for gpu in with_bar1:
        most[gpu.name] = max(most.get(gpu.name, 0), gpu.health.bar1 or 0)
    troubles = (
        BAR1.warning(
            f"GPU {gpu.index}: {_size(gpu.health.bar1)}, others of its kind have {_size(most[gpu.name])}",
            "switch Above 4G Decoding and Resizable BAR on in the firmware's setup",
        )
        for gpu in with_bar1
        if (gpu.health.bar1 or 0) < most[gpu.name]
    )
    # A small one is as delivered where the card or the board has no Resizable BAR: no fault, and CUDA does not need it.
    return BAR1.worst(troubles, ", ".join(f"GPU {gpu.index}: {_part(gpu)}" for gpu in with_bar1))


def _part(gpu: NvmlGpu) -> str:
    whole = gpu.memory and (gpu.health.bar1 or 0) >= gpu.memory
    return "all of its memory" if whole else f"{_size(gpu.health.bar1)} of {_size(gpu.memory)}"


def _size(size: int | None) -> str:
    if not size:
        return "?"
    return in_gib(size, 0) if size >= GIB else f"{size / MIB:.0f} MiB"
