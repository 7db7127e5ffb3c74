"""The record of one device during a burn-in: its work, and its state meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rigforge.doctor.nvml import NvmlGpu


@dataclass(frozen=True)
class Sample:
    """One look: seconds since the start, °C, MHz, watts, percent, NVML's bits; `throughput` in operations a second.

    `link_generation` is PCIe's at that moment, `link_width` in lanes.
    """

    seconds: float
    throughput: float
    temperature: int | None = None
    clock: int | None = None
    power: float | None = None
    utilisation: int | None = None
    reasons: int | None = None
    link_generation: int | None = None
    link_width: int | None = None


@dataclass
class Format:
    """Products in one number format: floating-point operations, seconds, wrong numbers.

    `error` is the largest error of the first result against double precision, `right` whether that is small enough.
    """

    error: float = 0.0
    right: bool = True
    operations: int = 0
    seconds: float = 0.0
    wrong: int = 0


@dataclass
class BurnInRecord:
    """A GPU, or the processor where `before` is None. Memory in bytes; `trouble` is why the work ended too early."""

    before: NvmlGpu | None
    after: NvmlGpu | None = None
    name: str = ""
    formats: dict[str, Format] = field(default_factory=dict)
    memory: int = 0
    patterns: int = 0
    words_wrong: int = 0
    trouble: str = ""
    samples: list[Sample] = field(default_factory=list)
    _operations: int = 0

    @property
    def label(self) -> str:
        return f"GPU {self.before.index}" if self.before else "processor"

    def take(self, event: dict[str, Any]) -> None:
        """Adds what the worker said."""
        match event["event"]:
            case "reference":
                self.formats[event["format"]] = Format(event["error"], event["right"])
            case "ready":
                self.name, self.memory = event["name"], event["memory"]
            case "product":
                done = self.formats.setdefault(event["format"], Format())
                done.operations += event["operations"]
                done.seconds += event["seconds"]
                done.wrong += event["wrong"]
                self._operations += event["operations"]
            case "memory":
                self.patterns += 1
                self.words_wrong += event["wrong"]

    def look(self, gpu: NvmlGpu | None, now: float) -> None:
        """Adds a sample; `now` in seconds since the start."""
        since = now - (self.samples[-1].seconds if self.samples else 0.0)
        throughput = self._operations / since if since > 0 else 0.0
        self._operations = 0
        if gpu is None:
            self.samples.append(Sample(now, throughput))
            return
        self.after = gpu
        link = (gpu.link_generation, gpu.link_width)
        self.samples.append(
            Sample(now, throughput, gpu.temperature, gpu.clock, gpu.power, gpu.utilisation, gpu.reasons, *link)
        )

    def under_load(self) -> list[Sample]:
        """Returns the samples in which it computed."""
        return [sample for sample in self.samples if sample.throughput > 0]

    def described(self, most: int = 600) -> dict[str, object]:
        """Returns the record for JSON, with at most twice `most` samples, evenly spaced."""
        every = max(1, len(self.samples) // most)
        return {
            "index": self.before.index if self.before else None,
            "uuid": self.before.uuid if self.before else "",
            "name": self.name or (self.before.name if self.before else ""),
            "trouble": self.trouble,
            "formats": {name: vars(done) for name, done in self.formats.items()},
            "memory_bytes": self.memory,
            "patterns": self.patterns,
            "words_wrong": self.words_wrong,
            "samples": [vars(sample) for sample in self.samples[::every]],
        }
