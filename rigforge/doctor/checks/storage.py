"""Free space, and what the disks say of their own health."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.rules.sizes import GIB, in_gib

SPACE = Topic("disk-space", "A full disk ends a training run at its next checkpoint.")
HEALTH = Topic("disk-health", "An SSD counts down to its end, and says so before.")

#: Bytes; a checkpoint of a middling model.
LITTLE = 20 * GIB
#: Percent of the writing that a drive was made for (NVM Express base specification, SMART / Health log: may pass 100).
WORN = 90
_PLACES = ("/", "/home", "/var", "/workspace")
_DISK = re.compile(r"(nvme\d+n\d+|sd[a-z]+)$")


def checks(machine: Machine) -> Iterator[Check]:
    yield SPACE.of(lambda: _space(machine))
    if machine.container:
        yield HEALTH.not_applicable("the host's, in a container")
        return
    yield HEALTH.of(lambda: _health(machine))


def _space(machine: Machine) -> Check:
    free: dict[int, tuple[str, int, int]] = {}
    for place in _PLACES:
        folder = machine.root / place.lstrip("/")
        if folder.is_dir():
            status = os.statvfs(folder)
            space = (place, status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize)
            free.setdefault(folder.stat().st_dev, space)
    words = [f"{place} {unused / GIB:.1f} of {in_gib(size)} free" for place, unused, size in free.values()]
    fix = "sudo du -xh --max-depth=2 / | sort -h | tail shows what takes it"
    troubles = [
        SPACE.failed(text, fix) if free_bytes < GIB else SPACE.warning(text, fix)
        for (place, free_bytes, size), text in zip(free.values(), words, strict=True)
        if free_bytes < LITTLE and free_bytes < size / 10
    ]
    return SPACE.worst(troubles, ", ".join(words))


def _health(machine: Machine) -> Check:
    block = machine.root / "sys/block"
    disks = sorted(path.name for path in block.iterdir() if _DISK.match(path.name)) if block.is_dir() else []
    if not disks:
        return HEALTH.not_applicable("no disk that tells its health")
    if not machine.has("smartctl"):
        return HEALTH.not_applicable("smartctl is not installed: sudo apt-get install smartmontools")
    answers = {disk: _smart(machine, disk) for disk in disks}
    if not any(answers.values()):
        return HEALTH.not_applicable(f"{', '.join(disks)} did not answer (it asks for root: run it again with sudo)")
    troubles = [trouble for disk, answer in answers.items() if answer and (trouble := _disk(disk, answer))]
    # A USB stick tells nothing, and is no reason to hide what the other disks tell.
    words = [f"{disk} {_wear(answer) if answer else 'tells nothing'}" for disk, answer in answers.items()]
    return HEALTH.worst(troubles, ", ".join(words))


def _smart(machine: Machine, disk: str) -> dict[str, Any] | None:
    answer = machine.ask("smartctl", "--json", "--health", "--attributes", f"/dev/{disk}")
    try:
        report = json.loads(answer.output) if answer else {}
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) and isinstance(report.get("smart_status"), dict) else None


def _disk(disk: str, report: dict[str, Any]) -> Check | None:
    replace = "save what is on it, and replace it"
    log = _log(report)
    if not report["smart_status"].get("passed", True) or log.get("critical_warning", 0):
        return HEALTH.failed(f"{disk} says that it is failing", replace)
    if log.get("media_errors", 0):
        return HEALTH.warning(f"{disk} has {log['media_errors']} media errors", replace)
    if log.get("percentage_used", 0) >= WORN:
        return HEALTH.warning(f"{disk} has used {log['percentage_used']} % of its life", replace)
    return None


def _log(report: dict[str, Any]) -> dict[str, int]:
    """Returns the figures of an NVMe disk; whatever is no number is none of them."""
    log = report.get("nvme_smart_health_information_log")
    return {name: figure for name, figure in log.items() if isinstance(figure, int)} if isinstance(log, dict) else {}


def _wear(report: dict[str, Any]) -> str:
    log = _log(report)
    return f"passed, {log['percentage_used']} % used" if "percentage_used" in log else "passed"
