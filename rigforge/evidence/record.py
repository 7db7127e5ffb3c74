"""Record of one run of a part: what was run, on what kind of machine, and how it ended.

It names neither the host nor a path on it, so that anybody may commit one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.evidence.parts import FOLDER
from rigforge.foreign import boundary
from rigforge.verify import qemu


@dataclass(frozen=True)
class Host:
    """Kind of a machine: processors that the run may use, memory (GiB), and whether guests run by KVM."""

    cores: int
    memory_gib: float
    kvm: bool


@dataclass(frozen=True)
class Case:
    """Outcome of one test ("passed", "failed" or "skipped"), its seconds, and what it recorded (`record_property`)."""

    test: str
    outcome: str
    seconds: float
    figures: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One run of a part, at a commit (`-dirty` where files differed from it), on a day (UTC, ISO 8601).

    `disk_gb` is the most that the file system of the state directory grew by meanwhile, with what others wrote there.
    """

    part: str
    commit: str
    date: str
    machine: Host
    minutes: float
    disk_gb: float
    cases: tuple[Case, ...]

    @property
    def passed(self) -> int:
        return self._count("passed")

    @property
    def failed(self) -> int:
        return self._count("failed")

    @property
    def proves(self) -> bool:
        """Whether all that the part has was run, and passed, with the very files of the commit."""
        return 0 < self.passed == len(self.cases) and bool(self.commit) and not self.commit.endswith("-dirty")

    def _count(self, outcome: str) -> int:
        return sum(case.outcome == outcome for case in self.cases)


def this_machine() -> Host:
    """Returns the kind of the machine that this process runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Host(len(os.sched_getaffinity(0)), round(memory, 1), qemu.accelerator() == qemu.KVM)


def path(part: str, folder: Path = FOLDER) -> Path:
    """Returns where the newest record of a part is."""
    return folder / "records" / f"{part}.json"


def write(record: Record, folder: Path = FOLDER) -> Path:
    """Writes the record in place of the part's last one, and returns its path."""
    file = path(record.part, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    counts = {"passed": record.passed, "failed": record.failed}
    atomic.write(file, json.dumps({**asdict(record), **counts}, indent=2) + "\n")
    return file


def read(file: Path) -> Record:
    """Returns the record in a file. Raises RigforgeError where it is none."""
    with boundary(f"{file} is no record of a run", "run its part anew: invoke test --part NAME"):
        table = json.loads(file.read_text(encoding="utf-8"))
        counts = table.pop("passed"), table.pop("failed")
        cases = tuple(Case(**case) for case in table.pop("cases"))
        record = Record(machine=Host(**table.pop("machine")), cases=cases, **table)
        if counts != (record.passed, record.failed):
            raise ValueError("its counts are not those of its tests")
    return record


def all_in(folder: Path = FOLDER) -> dict[str, Record]:
    """Returns the records in a folder by the names of their parts."""
    return {file.stem: read(file) for file in sorted((folder / "records").glob("*.json"))}
