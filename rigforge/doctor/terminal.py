"""The report on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rigforge.doctor.check import Check, Status
from rigforge.doctor.machine import Machine

_SIGNS: dict[Status, tuple[str, str]] = {
    "ok": ("✓", "\x1b[32m"),
    "warning": ("!", "\x1b[33m"),
    "failed": ("✗", "\x1b[31m"),
    "n/a": ("–", "\x1b[2m"),
}
_PLAIN = "\x1b[0m"


def as_text(machine: Machine, checks: Iterable[Check], verdict: Status, *, colour: bool) -> str:
    """Returns the report as lines: reason and cure only where something is wrong."""
    facts = machine.described()
    gpus = ", ".join(gpu.name or f"GPU {gpu.index}" for gpu in machine.nvml.gpus) or "no GPU in the driver"
    lines = [f"{facts['hostname']}: {facts['system']}, kernel {facts['kernel']}", gpus, ""]
    for check in checks:
        lines.append(_coloured(f"{_SIGNS[check.status][0]} {check.id:18} {check.measured}", check.status, colour))
        if check.status in ("warning", "failed"):
            lines += [f"    why: {check.why}", f"    fix: {check.fix or f'see {check.cause}'}"]
    return "\n".join([*lines, "", _coloured(f"verdict: {verdict}", verdict, colour)]) + "\n"


def _coloured(text: str, status: Status, colour: bool) -> str:
    return f"{_SIGNS[status][1]}{text}{_PLAIN}" if colour else text
