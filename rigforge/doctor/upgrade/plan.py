"""The plan of an upgrade, which is made without changing anything."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from typing import Literal

from rigforge.doctor.machine import Machine
from rigforge.doctor.upgrade import debian, rollback_store, ubuntu
from rigforge.doctor.upgrade.obstacles import misfits, unsigned
from rigforge.doctor.upgrade.packages import OPTIONS, PATIENCE, AptPackages, Change
from rigforge.doctor.upgrade.pair import MODULE, PackagedSystem, Pair, PairOffer

#: `apart`: there is something newer, which does not belong together or does not go with the machine.
Status = Literal["nothing", "ready", "apart", "unknown", "unfinished"]

EXIT_CODES: dict[Status, int] = {"nothing": 0, "ready": 0, "apart": 1, "unknown": 1, "unfinished": 1}


@dataclass(frozen=True)
class Plan:
    """The plan, as --json has it. `compiled` are kernels that a module is compiled for; `download` is in bytes."""

    status: Status
    message: str
    installed: Pair | None = None
    held: tuple[str, ...] = ()
    offered: Pair | None = None
    why_not: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    packages: tuple[Change, ...] = ()
    download: int = 0
    kernels: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    def described(self) -> dict[str, object]:
        """Returns the plan as JSON has it."""
        fields = asdict(self)
        del fields["arguments"], fields["kernels"]
        return fields


def make(machine: Machine, *, without_fallback: bool = False) -> Plan:
    """Returns the plan for a machine, from the lists that apt has."""
    packages = AptPackages(machine)
    system = PackagedSystem(machine, packages)
    record = rollback_store.read(machine)
    if record and not record.finished:
        message = "an upgrade was cut off; put the previous packages back: sudo rigforge-doctor upgrade --back"
        return Plan("unfinished", message)
    if not packages.installed:
        return Plan("unknown", "there is no dpkg on this machine; upgrade knows Debian's and Ubuntu's packages")
    if not system.user_space or not system.images:
        return Plan("unknown", "no NVIDIA driver, or no kernel, is installed from Debian's or Ubuntu's packages")
    here = system.pair
    held = tuple(name for name, package in sorted(packages.installed.items()) if package.held)
    if not packages.has_lists:
        message = "apt has no package lists yet, so what the archive offers is not known"
        return Plan("unknown", f"{message}: sudo rigforge-doctor upgrade --plan --refresh", here, held)
    canonical = any(match["branch"] for name in packages.installed if (match := MODULE.fullmatch(name)))
    offer = (ubuntu if canonical else debian).offered(system)
    if offer.pair == here:
        waits = record and here.kernel == record.new_kernel != machine.kernel
        notes = (*offer.notes, *([f"kernel {here.kernel} starts with the next boot: sudo reboot"] if waits else []))
        return Plan("nothing", f"nothing newer is offered than {here}", here, held, notes=notes)
    return _plan(system, offer, held, without_fallback)


def _plan(system: PackagedSystem, offer: PairOffer, held: tuple[str, ...], without_fallback: bool) -> Plan:
    here, offered, machine = system.pair, offer.pair, system.machine
    why_not, notes = list(offer.why_not), list(offer.notes)
    if offer.no_fallback:
        consequence = (
            f"kernel {here.kernel} would start without a working driver until `rigforge-doctor upgrade --back`"
        )
        reason = f"{offer.no_fallback}: {consequence}"
        if without_fallback:
            notes.append(reason)
        else:
            why_not.append(f"{reason} (--without-fallback accepts that)")
    if offered.driver != here.driver:
        why_not += misfits(machine, here.driver, offered.driver)
    if offer.compiler and (blocked := unsigned(machine)):
        why_not.append(blocked)
    if offered.kernel == here.kernel:
        notes.append("the kernel keeps its name: the way back is `rigforge-doctor upgrade --back`, not the boot menu")
    arguments = (*(f"{name}={new}" for name, new in sorted(offer.install.items())), *(f"{n}-" for n in offer.remove))
    changes: tuple[Change, ...] = ()
    if arguments and not offer.why_not:
        simulated = system.packages.simulated(arguments)
        changes = simulated.changes
        if simulated.complaint:
            why_not.append(f"apt cannot install them together: {simulated.complaint}")
        unasked = [change.name for change in changes if not change.now and change.name not in offer.remove]
        if unasked:
            why_not.append(f"apt would remove {', '.join(unasked)}")
    message = f"{offered} is offered, "
    return Plan(
        status="apart" if why_not else "ready",
        message=message + ("but cannot be had as a pair" if why_not else "and they belong together"),
        installed=here,
        held=held,
        offered=offered,
        why_not=tuple(why_not),
        notes=tuple(notes),
        packages=changes,
        download=0 if why_not else _download(machine, arguments),
        kernels=offer.kernels,
        compiled=offer.kernels if offer.compiler else (),
        arguments=arguments,
    )


def _download(machine: Machine, arguments: tuple[str, ...]) -> int:
    answer = machine.ask("apt-get", "--print-uris", *OPTIONS, "install", *arguments, seconds=PATIENCE)
    return sum(int(size) for size in re.findall(r"^'[^']+' \S+ (\d+)", answer.output if answer else "", re.MULTILINE))


def as_text(plan: Plan) -> str:
    """Returns the plan for a terminal."""
    lines = [f"installed: {plan.installed}; {len(plan.held)} packages are held"] if plan.installed else []
    lines.append(plan.message)
    lines += [f"  ! {why}" for why in plan.why_not]
    lines += [f"  - {note}" for note in plan.notes]
    if plan.packages:
        lines += ["", f"apt would fetch {plan.download / 1000**2:.0f} MB and"]
        for change in plan.packages:
            verb = "remove" if not change.now else "upgrade" if change.was else "install"
            arrow = " -> " if change.was and change.now else ""
            lines.append(f"  {verb:8} {change.name} {change.was}{arrow}{change.now}")
    if plan.status == "ready":
        lines += ["", *_steps(plan), "", "to do it: sudo rigforge-doctor upgrade --apply"]
    return "\n".join(lines) + "\n"


def _steps(plan: Plan) -> list[str]:
    steps = ["fetch all packages", "keep the present ones for the way back (/var/lib/rigforge/upgrade/previous)"]
    steps.append("install")
    if plan.compiled:
        cores = os.cpu_count() or 1
        steps.append(
            f"compile the module for {' and '.join(plan.compiled)}, on {cores} cores; the compiler stays installed"
        )
    steps.append("check module, vermagic and user space; make initramfs and boot menu")
    steps.append("hold again; the machine is not rebooted, and the running kernel stays in the boot menu")
    return [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
