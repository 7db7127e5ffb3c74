"""The checks by subject: each module has `checks`, from the machine to what was found."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

from rigforge.doctor.causes import traced
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks import (
    bus,
    cards,
    cdi,
    compatibility,
    containers,
    cuda,
    dkms,
    driver,
    kernel_log,
    kernelspecs,
    links,
    memory,
    options,
    secure_boot,
    services,
    storage,
    thermal,
    topology,
    wear,
)
from rigforge.doctor.machine import Machine
from rigforge.doctor.surroundings import fitted, place

#: In the order of the report: from the slot up to the services.
SUBJECTS: tuple[ModuleType, ...] = (
    bus,
    cards,
    driver,
    cuda,
    options,
    dkms,
    secure_boot,
    compatibility,
    kernel_log,
    wear,
    links,
    thermal,
    topology,
    memory,
    storage,
    containers,
    cdi,
    services,
    kernelspecs,
)


def every(machine: Machine) -> tuple[Check, ...]:
    """Returns the checks of all subjects, which are looked at side by side: most wait for another program.

    What follows from another finding says so, and the cures are those for the place.
    """
    with ThreadPoolExecutor(len(SUBJECTS)) as pool:
        results = tuple(
            check for results in pool.map(lambda subject: tuple(_of(subject, machine)), SUBJECTS) for check in results
        )
    return fitted(traced(results), place(machine))


def _of(subject: ModuleType, machine: Machine) -> Iterator[Check]:
    """Yields a check for every topic of a subject: for those that an error leaves without one, the error."""
    topics = {topic.id: topic for topic in vars(subject).values() if isinstance(topic, Topic)}
    try:
        for check in subject.checks(machine):
            topics.pop(check.id, None)
            yield check
    except Exception as error:
        for topic in topics.values():
            yield topic.unknown(error)
