"""Heat, fans, power and clocks, and whether the driver stays loaded between programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.links import minutes
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu
from rigforge.doctor.tune import unit

TEMPERATURE = Topic("gpu-temperature", "At its limit a GPU lowers its clocks, and training slows down without a word.")
MEMORY = Topic("gpu-memory-temperature", "Memory that is too hot slows the whole GPU down, and ages.")
FAN = Topic("gpu-fan", "A fan that stands while its GPU is hot is broken.")
POWER = Topic("gpu-power", "A limit below the default costs speed, by choice or by accident.")
THROTTLE = Topic("gpu-throttle", "The driver says itself why clocks are lower than they could be.")
SLOWED = Topic("gpu-throttle-time", "What holds a GPU now and then is seldom at work when somebody looks.")
PERSISTENCE = Topic(
    "gpu-persistence", "Without it the driver starts anew for each program: seconds each, and settings are lost."
)

#: °C below the slowdown temperature from which it is worth a word.
MARGIN = 5
#: °C, for GPUs that do not tell their own limit (NVIDIA's data sheets: 83 to 93 °C).
USUAL_LIMIT = 90
#: Seconds, and the part of the time since the start, from which heat held the clocks for too long; a laptop under load
#: reaches its limit by design, a machine that trains for days should not. (Chosen here: NVIDIA names no limit.)
SLOWED_SECONDS, SLOWED_PART = 60, 0.05
#: °C above which a standing fan is no longer the quiet mode of an idle card.
HOT = 70

#: NVML's bits that slow a GPU down and are no choice of the user (nvml.h, nvmlClocksThrottleReasons).
REASONS = {
    0x08: "hardware slowdown (heat or power brake)",
    0x20: "heat (software slowdown)",
    0x40: "heat (hardware slowdown)",
    0x80: "power brake: the supply asked for less",
}


def checks(machine: Machine) -> Iterator[Check]:
    gpus = tuple(gpu for gpu in machine.nvml.gpus if not gpu.lost)
    if not gpus:
        topics = (TEMPERATURE, MEMORY, FAN, POWER, THROTTLE, SLOWED, PERSISTENCE)
        yield from (topic.not_applicable("no GPU in the driver") for topic in topics)
        return
    for topic, trouble, figure in (
        (TEMPERATURE, _temperature, lambda gpu: _figure(gpu.temperature, " °C")),
        (MEMORY, _memory, lambda gpu: _figure(gpu.health.memory_temperature, " °C")),
        (FAN, _fan, lambda gpu: _figure(gpu.fan, " %")),
        (
            POWER,
            partial(_power, chosen={uuid for uuid, _ in unit.applied(machine)}),
            lambda gpu: f"{_figure(gpu.power, ' W')} of {_figure(gpu.power_limit, ' W')}",
        ),
        (THROTTLE, _throttle, lambda gpu: "no"),
        (SLOWED, partial(_slowed, since=60 * minutes(machine)), lambda gpu: _figure(gpu.health.hot, " s by heat")),
        (
            PERSISTENCE,
            _persistence if machine.ours else lambda gpu: None,
            lambda gpu: "off, as drivers come" if gpu.persistence is False else "on",
        ),
    ):
        yield _topic(topic, gpus, trouble, figure)


def _topic(
    topic: Topic,
    gpus: tuple[NvmlGpu, ...],
    trouble: Callable[[NvmlGpu], Check | None],
    figure: Callable[[NvmlGpu], str],
) -> Check:
    figures = dict.fromkeys(figure(gpu) for gpu in gpus)
    return topic.worst((check for gpu in gpus if (check := trouble(gpu))), ", ".join(figures))


def _temperature(gpu: NvmlGpu) -> Check | None:
    limit = gpu.slowdown or USUAL_LIMIT
    if gpu.temperature is None or gpu.temperature < limit - MARGIN:
        return None
    measured = f"GPU {gpu.index}: {gpu.temperature} °C, it slows down at {limit} °C"
    fix = "clean the filters, give the card air, or lower its power: sudo nvidia-smi -pl WATTS"
    return TEMPERATURE.failed(measured, fix) if gpu.temperature >= limit else TEMPERATURE.warning(measured, fix)


def _memory(gpu: NvmlGpu) -> Check | None:
    """Compares with the limit that the card tells itself (nvml.h, NVML_TEMPERATURE_THRESHOLD_MEM_MAX)."""
    temperature, limit = gpu.health.memory_temperature, gpu.health.memory_limit
    if not temperature or not limit or temperature < limit - MARGIN:
        return None
    measured = f"GPU {gpu.index}: memory {temperature} °C, it slows down at {limit} °C"
    fix = "give the card air, and where it is old have its thermal pads replaced"
    return MEMORY.failed(measured, fix) if temperature >= limit else MEMORY.warning(measured, fix)


def _fan(gpu: NvmlGpu) -> Check | None:
    if gpu.fan == 0 and (gpu.temperature or 0) >= HOT:
        return FAN.failed(
            f"GPU {gpu.index}: 0 % at {gpu.temperature} °C", "power off and look at the fan and its cable"
        )
    return None


def _power(gpu: NvmlGpu, chosen: Collection[str]) -> Check | None:
    """Leaves out those whose limit was `chosen`, by UUID, with `tune --apply`."""
    if gpu.uuid in chosen:
        return None
    if gpu.power_limit and gpu.power_default and gpu.power_limit < gpu.power_default - 1:
        measured = f"GPU {gpu.index}: limit {gpu.power_limit:.0f} W, default {gpu.power_default:.0f} W"
        return POWER.warning(
            measured, f"sudo nvidia-smi -i {gpu.index} -pl {gpu.power_default:.0f}, if it was no choice"
        )
    return None


def _throttle(gpu: NvmlGpu) -> Check | None:
    why = [text for bit, text in REASONS.items() if (gpu.reasons or 0) & bit]
    return THROTTLE.warning(f"GPU {gpu.index}: {', '.join(why)}", "see gpu-temperature and gpu-power") if why else None


def _slowed(gpu: NvmlGpu, since: float) -> Check | None:
    """`since`: seconds since the start of the machine, before which no driver counted."""
    hot = gpu.health.hot or 0.0
    if hot < SLOWED_SECONDS or hot < SLOWED_PART * since:
        return None
    part = f"{100 * min(1.0, hot / since):.0f} % of the time"
    fix = "clean the filters, give the card air, or lower its power: sudo rigforge-doctor tune"
    return SLOWED.warning(f"GPU {gpu.index}: heat held its clocks for {hot / 60:.0f} minutes, {part}", fix)


def _persistence(gpu: NvmlGpu) -> Check | None:
    if gpu.persistence is False:
        return PERSISTENCE.warning(f"GPU {gpu.index}: off", "sudo systemctl enable --now nvidia-persistenced")
    return None


def _figure(value: float | None, unit: str) -> str:
    return "not told" if value is None else f"{value:.0f}{unit}"
