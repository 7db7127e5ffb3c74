"""Settings to try: power limits and highest clocks of a GPU, within what the card allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rigforge.doctor.nvml import NvmlGpu

#: Parts of the default limit, and of the highest clock, that are tried; the first is the one all are compared with.
POWER_STEPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
CLOCK_STEPS = (0.9, 0.8, 0.7, 0.6)
#: MHz between two clocks of a GPU; the driver rounds what lies between (nvidia-smi --query-supported-clocks=graphics).
CLOCK_GRID = 15


@dataclass(frozen=True)
class TuneSetting:
    """A power limit in watts, or the clock in MHz above which the GPU does not go."""

    kind: Literal["power", "clock"]
    value: int

    def __str__(self) -> str:
        return f"{self.value} {'W' if self.kind == 'power' else 'MHz'}"


def settings(gpu: NvmlGpu, *, clocks: bool, most: float, points: int = 0) -> tuple[TuneSetting, ...]:
    """Returns what to try: the default power limit first, then the highest, then downwards; then clocks.

    No power limit is above `most` watts; of more settings than `points` (0: any number) so many are taken, spread
    evenly. The first is what the others are compared with. Empty where the driver does not say what the card allows.
    """
    candidates = [setting for setting in _power(gpu) if setting.value <= most]
    if clocks and gpu.clock_max:
        candidates += [] if candidates else [TuneSetting("clock", gpu.clock_max)]
        candidates += [
            TuneSetting("clock", round(gpu.clock_max * step / CLOCK_GRID) * CLOCK_GRID) for step in CLOCK_STEPS
        ]
    tried = tuple(dict.fromkeys(candidates))
    if not points or len(tried) <= points:
        return tried
    return tuple(tried[round(number * (len(tried) - 1) / max(points - 1, 1))] for number in range(points))


def _power(gpu: NvmlGpu) -> Iterator[TuneSetting]:
    if not gpu.power_range or not gpu.power_default:
        return
    low, high = gpu.power_range
    if low >= high:
        return
    default = min(max(gpu.power_default, low), high)
    yield TuneSetting("power", round(default))
    if high > default:
        yield TuneSetting("power", int(high))
    for step in POWER_STEPS[1:]:
        if default * step >= low:
            yield TuneSetting("power", round(default * step))
    yield TuneSetting("power", -int(-low // 1))
