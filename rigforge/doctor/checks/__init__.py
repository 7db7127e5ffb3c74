"""The checks by subject: each module has `checks`, from the machine to what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from rigforge.doctor.check import Check
from rigforge.doctor.checks import (
    bus,
    compatibility,
    containers,
    driver,
    kernel_log,
    memory,
    secure_boot,
    services,
    storage,
    thermal,
    topology,
)
from rigforge.doctor.machine import Machine

#: In the order of the report: from the slot up to the services.
SUBJECTS: tuple[Callable[[Machine], Iterable[Check]], ...] = (
    bus.checks,
    driver.checks,
    secure_boot.checks,
    compatibility.checks,
    kernel_log.checks,
    thermal.checks,
    topology.checks,
    memory.checks,
    storage.checks,
    containers.checks,
    services.checks,
)


def every(machine: Machine) -> tuple[Check, ...]:
    """Returns the checks of all subjects, which are looked at side by side: most wait for another program."""
    with ThreadPoolExecutor(len(SUBJECTS)) as pool:
        return tuple(check for found in pool.map(lambda subject: tuple(subject(machine)), SUBJECTS) for check in found)
