"""One GPU trains at one setting after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rigforge.doctor import nvml
from rigforge.doctor.checks.thermal import REASONS
from rigforge.doctor.nvml import NvmlGpu
from rigforge.doctor.signals import Interruption
from rigforge.doctor.tune.limits import RestoredSettings
from rigforge.doctor.tune.setting import TuneSetting
from rigforge.doctor.workload.process import Worker
from rigforge.errors import RigforgeError

#: Seconds between two looks, at most and at least.
EVERY, SHORTEST = 0.5, 0.1
#: The part of a point's time in which power and temperature settle, before the measuring begins.
SETTLING = 1 / 3

#: NVML's bits for what holds the clocks where they are (nvml.h): the user's lock, the power limit, and faults.
HELD = {0x02: "the clock lock", 0x04: "the power limit", **REASONS}


@dataclass(frozen=True)
class Point:
    """Figures of a setting: mean watts, sequences a second, mean MHz, highest °C, what held the clocks."""

    setting: TuneSetting
    watts: float | None
    speed: float
    clock: float | None
    temperature: int | None
    held: str

    @property
    def work(self) -> float | None:
        """Sequences per joule."""
        return self.speed / self.watts if self.watts else None


@dataclass
class Sweep:
    """The points of a GPU; `trouble` is why there are not more, `unrestored` why a setting is not what it was before.

    `before` is the power limit that was set before, and is again, in milliwatts.
    """

    gpu: NvmlGpu
    before: int | None
    points: list[Point] = field(default_factory=list)
    trouble: str = ""
    hint: str = ""
    unrestored: str = ""


def sweep(
    gpu: NvmlGpu,
    settings: Sequence[TuneSetting],
    worker: Callable[[], Worker],
    seconds: float,
    interruption: Interruption,
    tell: Callable[[TuneSetting], None],
) -> Sweep:
    """Returns what was measured, after all is as it was before. NVML is started; `seconds` are for each point."""
    with RestoredSettings(gpu.uuid) as restored:
        result = Sweep(gpu, restored.before)
        try:
            # What was not permitted is known before anything is at work.
            restored.change(settings[0])
            _measure_all(result, restored, settings, worker, seconds, interruption, tell)
        except RigforgeError as error:
            result.trouble, result.hint = error.message, error.hint
    result.unrestored = restored.trouble
    return result


def _measure_all(
    result: Sweep,
    restored: RestoredSettings,
    settings: Sequence[TuneSetting],
    start: Callable[[], Worker],
    seconds: float,
    interruption: Interruption,
    tell: Callable[[TuneSetting], None],
) -> None:
    worker = start()
    try:
        while not worker.ready and worker.working and not interruption.wait(EVERY):
            worker.events()
        for setting in settings:
            if interruption or not worker.working:
                break
            tell(setting)
            if setting.kind == "clock":
                restored.change(settings[0])
            restored.change(setting)
            _measure(worker, result.gpu, seconds * SETTLING, interruption)
            sequences, measured, samples = _measure(worker, result.gpu, seconds * (1 - SETTLING), interruption)
            if measured and worker.working and not interruption:
                result.points.append(_point(setting, sequences / measured, samples))
    finally:
        worker.kill()
    if worker.trouble:
        result.trouble = worker.trouble
        result.hint = "read what the kernel says of it: sudo dmesg | grep -i -e nvrm -e oom; then run it again"


def _measure(
    worker: Worker, gpu: NvmlGpu, seconds: float, interruption: Interruption
) -> tuple[int, float, list[NvmlGpu]]:
    """Returns the sequences, the seconds they took, and how the GPU was meanwhile."""
    worker.events()  # what was done before does not count
    sequences, measured = 0, 0.0
    samples: list[NvmlGpu] = []
    end = time.monotonic() + seconds
    # A step may take longer than the time of a point; then the point takes as long as a step.
    while worker.working and not interruption and (time.monotonic() < end or not measured):
        interruption.wait(max(SHORTEST, min(EVERY, end - time.monotonic())))
        samples += [now for now in nvml.read(briefly=True).gpus if now.uuid == gpu.uuid]
        for event in worker.events():
            if event["event"] == "steps":
                sequences += event["sequences"]
                measured += event["seconds"]
    return sequences, measured, samples


def _point(setting: TuneSetting, speed: float, samples: Sequence[NvmlGpu]) -> Point:
    held = [
        text for bit, text in HELD.items() if sum(bool((now.reasons or 0) & bit) for now in samples) * 2 > len(samples)
    ]
    return Point(
        setting,
        _mean([now.power for now in samples]),
        speed,
        _mean([now.clock for now in samples]),
        max((now.temperature for now in samples if now.temperature is not None), default=None),
        ", ".join(held),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    figures = [value for value in values if value is not None]
    return sum(figures) / len(figures) if figures else None
