"""A GPU's wear: bad memory, its InfoROM, and the repair that its driver asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu

MEMORY = Topic("gpu-memory-wear", "Memory that goes bad is replaced by spare rows or pages, until there are none left.")
INFOROM = Topic("gpu-inforom", "The card's own notebook: a damaged one loses what it counts, and nvidia-smi fails.")
ACTION = Topic("gpu-recovery", "After some errors the driver asks for a reset: until then each program may fail.")

#: Pages that are set aside: so many that the card is to be replaced, and for errors that could not be corrected so many
#: that it is on its way (NVIDIA/DCGM, dcgm_gpu_hardware_limits.h: the field diagnostic's limit, and the soft limit).
TOO_MANY_PAGES, MANY_PAGES = 63, 15

_REPLACE = "save what runs on it, and have the card replaced"
_IN_USE = "end the programs that use it (nvidia-smi lists them)"
_RESET = "sudo nvidia-smi --gpu-reset --id={index}"

#: What NVML asks for, and how it is done (nvml.h, nvmlDeviceGpuRecoveryAction_t).
_ACTIONS = {
    1: ("a reset of the GPU", _RESET),
    2: ("a reboot of the machine", "sudo reboot"),
    3: ("that work over peer-to-peer ends", f"{_IN_USE} together with another GPU"),
    4: ("that work ends and the GPU is reset", f"{_IN_USE}, then: {_RESET}"),
    5: ("the recovery of the IMEX domain", "sudo systemctl restart nvidia-imex, on each machine of the domain"),
    6: ("a reset of the bus", f"{_IN_USE}, then: {_RESET}; if that is refused, power off and on"),
    7: ("a reboot of the whole system", "sudo reboot"),
}


def checks(machine: Machine) -> Iterator[Check]:
    gpus = tuple(gpu for gpu in machine.nvml.gpus if not gpu.lost)
    if not gpus:
        yield from (topic.not_applicable("no GPU in the driver") for topic in (MEMORY, INFOROM, ACTION))
        return
    yield MEMORY.of(lambda: _memory(gpus))
    yield INFOROM.of(lambda: _inforom(gpus))
    yield ACTION.of(lambda: _action(gpus))


def _memory(gpus: Sequence[NvmlGpu]) -> Check:
    with_figures = [gpu for gpu in gpus if any(figure is not None for figure in _figures(gpu))]
    if not with_figures:
        return MEMORY.not_applicable("these GPUs do not tell")
    words = (f"GPU {gpu.index}: {', '.join(_words(gpu))}" for gpu in with_figures if _words(gpu))
    return MEMORY.worst(
        (trouble for gpu in with_figures for trouble in _troubles(gpu)), "; ".join(words) or "nothing set aside"
    )


def _troubles(gpu: NvmlGpu) -> Iterator[Check]:
    health, label = gpu.health, f"GPU {gpu.index}"
    if health.sram_exceeded:
        yield MEMORY.failed(f"{label}: errors of its SRAM have passed the limit that NVIDIA sets", _REPLACE)
    if (health.retired or 0) >= TOO_MANY_PAGES:
        yield MEMORY.failed(
            f"{label}: {health.retired} pages of memory are set aside, {TOO_MANY_PAGES} are too many", _REPLACE
        )
    elif (health.retired_double or 0) >= MANY_PAGES:
        text = f"{label}: {health.retired_double} pages of memory are set aside for errors that could not be corrected"
        yield MEMORY.warning(text, "look at it each week: if they grow, have the card replaced")
    if health.retired_pending:
        yield MEMORY.warning(
            f"{label}: a page of memory is to be set aside at the next start of the driver", "sudo reboot"
        )
    if health.full_banks:
        banks = "a bank of memory has" if health.full_banks == 1 else f"{health.full_banks} banks of memory have"
        yield MEMORY.warning(
            f"{label}: {banks} no spare row left", "have the card replaced before the next bad row, which would stay"
        )


def _inforom(gpus: Sequence[NvmlGpu]) -> Check:
    damaged = (
        INFOROM.warning(f"GPU {gpu.index}: damaged", f"{_RESET.format(index=gpu.index)}; if it stays, {_REPLACE}")
        for gpu in gpus
        if gpu.health.inforom is False
    )
    versions = ", ".join(dict.fromkeys(gpu.health.vbios for gpu in gpus if gpu.health.vbios))
    measured = "whole" if any(gpu.health.inforom for gpu in gpus) else "not told"
    return INFOROM.worst(damaged, measured + (f"; VBIOS {versions}" if versions else ""))


def _action(gpus: Sequence[NvmlGpu]) -> Check:
    if all(gpu.health.action is None for gpu in gpus):
        return ACTION.not_applicable("the driver does not say")
    return ACTION.worst(
        (_recovery(gpu, gpu.health.action) for gpu in gpus if gpu.health.action), "nothing is to be done"
    )


def _recovery(gpu: NvmlGpu, action: int) -> Check:
    what, fix = _ACTIONS.get(action, (f"what it calls action {action}", "sudo reboot"))
    return ACTION.failed(f"GPU {gpu.index}: the driver asks for {what}", fix.format(index=gpu.index))


def _figures(gpu: NvmlGpu) -> tuple[int | None, ...]:
    health = gpu.health
    return health.retired, health.retired_pending, health.full_banks, health.sram_exceeded, health.corrected


def _words(gpu: NvmlGpu) -> list[str]:
    figures = {"pages set aside": gpu.health.retired, "corrected errors": gpu.health.corrected}
    return [f"{figure} {name}" for name, figure in figures.items() if figure]
