"""Causes of findings: one cause has one cure, and what follows from it offers none of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from rigforge.doctor.check import Check, Status

#: For a check: what its trouble follows from, the nearest first, with the status from which that is enough.
FOLLOWS: Mapping[str, Mapping[str, Status]] = {
    "driver-start": {"module-key": "failed", "driver-build": "failed"},
    "nouveau": {"driver-build": "failed"},
    "driver-module": {
        "driver-start": "failed",
        "module-key": "failed",
        "driver-build": "failed",
        "nouveau": "failed",
        "card-driver": "warning",
    },
    "driver-user-space": {"driver-module": "failed", "driver-start": "failed", "gpu-xid": "failed"},
    "next-kernel": {"driver-build": "warning"},
    "gpu-bus": {
        "card-driver": "warning",
        "driver-start": "warning",
        "driver-module": "failed",
        "driver-user-space": "failed",
        "gpu-xid": "failed",
    },
    "gpu-cards": {"gpu-bus": "failed", "gpu-xid": "failed"},
    "gpu-recovery": {"gpu-xid": "failed"},
    "gpu-nvlink": {"gpu-xid": "failed", "fabric-manager": "failed"},
    "gpu-link-errors": {"kernel-errors": "warning"},
    "device-files": {"driver-module": "failed", "driver-start": "failed"},
    "nvidia-uvm": {"driver-module": "failed", "driver-start": "failed"},
    "cuda": {
        "driver-module": "failed",
        "driver-user-space": "failed",
        "driver-start": "failed",
        "nvidia-uvm": "failed",
        "device-files": "failed",
        "fabric-manager": "failed",
        "gpu-mode": "failed",
        "gpu-bus": "failed",
        "gpu-xid": "failed",
    },
    "container-start": {"container-runtime": "failed", "driver-module": "failed", "gpu-bus": "failed"},
    "gpu-throttle": {"gpu-temperature": "warning", "gpu-power": "warning"},
}

_RANK: Mapping[Status, int] = {"n/a": 0, "ok": 0, "warning": 1, "failed": 2}
_CARD = re.compile(r"[\da-f]{4}:[\da-f]{2}:[\da-f]{2}", re.ASCII)


def traced(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Returns the checks, each that follows from another with its cause's name, without a cure and no worse than it.

    A check that has a cause already follows from that, where that is in trouble, and else has its own cure.
    """
    all_checks = tuple(checks)
    troubled = {check.id: check for check in all_checks if _RANK[check.status]}
    return tuple(_with_cause(check, troubled) if check.id in troubled else check for check in all_checks)


def _with_cause(check: Check, troubled: Mapping[str, Check]) -> Check:
    cause = _cause(check, troubled)
    if not cause:
        return replace(check, cause="")
    ids = {check.id}
    while cause.id not in ids and (deeper := _cause(cause, troubled)):
        ids.add(cause.id)
        cause = deeper
    status = min(check.status, cause.status, key=lambda status: _RANK[status])
    return replace(check, status=status, measured=f"{check.measured} (follows from {cause.id})", fix="", cause=cause.id)


def _cause(check: Check, troubled: Mapping[str, Check]) -> Check | None:
    if check.cause:
        return troubled.get(check.cause)
    for name, least in FOLLOWS.get(check.id, {}).items():
        cause = troubled.get(name)
        if cause and _RANK[cause.status] >= _RANK[least] and _of_its_cards(check, cause):
            return cause
    return None


def _of_its_cards(check: Check, cause: Check) -> bool:
    """Tells whether a cause speaks of all cards that a check speaks of, where both name cards."""
    cards, caused = ({*_CARD.findall(each.measured)} for each in (check, cause))
    return not cards or not caused or cards <= caused
