"""Diagnosis of a machine that is set up already: what is wrong, and what would cure it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rigforge.compat import driver_numbers
from rigforge.compat.gpu import Gpu
from rigforge.compat.installed import Installed, installed, native, no_code, not_run, only_ptx, that_works
from rigforge.compat.inventory import Inventory
from rigforge.compat.rules import Driver
from rigforge.compat.solution import Request, find_solution
from rigforge.compat.tables import tables

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One thing about the machine, and what cures it where it is wrong.

    `follows` is the doctor's check that has the cause, and a better cure where it is in trouble.
    """

    status: Status
    message: str
    cure: str = ""
    follows: str = ""


def diagnose(machine: Inventory, *, bus: bool = True) -> tuple[Finding, ...]:
    """Returns what was found, from the cards up to PyTorch.

    Where there is no `bus` to see them on (WSL), cards and driver are another system's.
    """
    of_bus = (*_cards(machine), *_driver(machine)) if bus else ()
    return (*of_bus, *_pytorch(machine))


def _cards(machine: Inventory) -> Iterator[Finding]:
    for gpu in dict.fromkeys(machine.gpus):
        yield Finding("ok", f"{machine.gpus.count(gpu)} × {gpu.name}, compute capability {gpu.compute_capability}")
    for device in machine.unknown:
        message = f"{device} is an NVIDIA card that the table has not: what it needs is not known here"
        yield Finding("ok", message, f'invoke explain --gpu "{device}=8.9", with its compute capability')
    if not machine.gpus and not machine.unknown:
        yield Finding("failed", "no NVIDIA card on the PCI bus", "check that the card is seated and has power")


def _driver(machine: Inventory) -> Iterator[Finding]:
    loaded, gpus = machine.loaded, tuple(dict.fromkeys(machine.gpus))
    if not (gpus or loaded):
        return
    if not loaded and not machine.driver:
        holder = "; nouveau drives the card, with which there is no CUDA" if machine.nouveau else ""
        yield Finding("failed", f"no NVIDIA driver is installed{holder}", _install(gpus))
    elif machine.nouveau:
        cure = "rigforge-doctor says how to take nouveau off the card"
        yield Finding("failed", "nouveau drives the card, with which there is no CUDA", cure, "nouveau")
    elif not loaded:
        cure = "sudo modprobe nvidia; rigforge-doctor says what keeps it from loading"
        yield Finding("failed", "no NVIDIA kernel module is loaded", cure, "driver-module")
    if not loaded:
        return
    if machine.user_space and machine.user_space != loaded.version:
        message = f"the kernel module is {loaded.version}, the driver's libraries are {machine.user_space}"
        cure = "restart the machine; if that does not help, install both in one version"
        yield Finding("failed", message, cure, "driver-user-space")
    elif machine.user_space is None:
        message = f"module {loaded.version} is loaded, but there is no libcuda.so.1"
        cure = f"install the driver's libraries in version {loaded.version}"
        yield Finding("failed", message, cure, "driver-user-space")
    facts, version, driver = tables(), loaded.version, _driver_of(machine)
    if not driver:
        yield Finding("ok", f"driver {version} is older than the tables, whose first is {driver_numbers.first(facts)}")
        return
    broken = [why for gpu in gpus if (why := driver_numbers.why_not(facts, driver, gpu))]
    for why in broken:
        yield Finding("failed", why, _install(gpus))
    if not broken:
        after = (
            "; newer than the tables, and good for what earlier ones run"
            if driver_numbers.newer(facts, version)
            else ""
        )
        message = f"driver {version}, {loaded.module} kernel module, native for CUDA {driver.branch.cuda}{after}"
        yield Finding("ok", message)


def _pytorch(machine: Inventory) -> Iterator[Finding]:
    pytorch, facts = machine.pytorch, tables()
    if machine.toolkit:
        yield Finding("ok", f"CUDA toolkit {machine.toolkit} in /usr/local/cuda; PyTorch's wheels bring their own CUDA")
    if not pytorch:
        interpreter = machine.interpreter or "the Python of PATH"
        # The system's own Python is not where people put it.
        status: Status = "ok" if not machine.interpreter or machine.interpreter.startswith("/usr/bin/") else "warning"
        yield Finding(status, f"no PyTorch in {interpreter}", _install_pytorch(machine, machine.interpreter))
        return
    cure = _install_pytorch(machine, pytorch.interpreter, pytorch.python)
    build = installed(facts, pytorch)
    if not build:
        for_others = f" (it is for {pytorch.platform})" if pytorch.platform else ""
        message = f"PyTorch {pytorch.version} of {pytorch.interpreter} is without CUDA{for_others}"
        yield Finding("failed", message, cure)
        return
    broken = tuple(_why_not(machine, build))
    for why in broken:
        yield Finding("failed", why, cure)
    if not broken:
        yield Finding("ok", _description(build, _driver_of(machine)))


def _why_not(machine: Inventory, build: Installed) -> Iterator[str]:
    """Yields why a PyTorch does not run on the cards, and not with the driver, where that drives them."""
    facts, loaded, gpus = tables(), machine.loaded, tuple(dict.fromkeys(machine.gpus))
    yield from filter(None, (no_code(facts, build, gpu) for gpu in gpus))
    driver = _driver_of(machine)
    # Libraries of forward compatibility tell no version, and run what the module alone would not.
    if not loaded or not machine.user_space or (driver and not _drives(driver, machine)):
        return
    # What a driver after those of the tables has, only it can say.
    decidable = driver and (machine.cuda or not driver_numbers.newer(facts, loaded.version))
    if why := not_run(facts, build, loaded.version, driver.branch.cuda if driver and decidable else ""):
        yield why
    elif driver and not native(facts, build, driver):
        yield from filter(None, (only_ptx(build, gpu, loaded.version) for gpu in gpus))


def _driver_of(machine: Inventory) -> Driver | None:
    loaded = machine.loaded
    return driver_numbers.driver(tables(), loaded.version, loaded.module, machine.cuda) if loaded else None


def _drives(driver: Driver, machine: Inventory) -> bool:
    return not any(driver_numbers.why_not(tables(), driver, gpu) for gpu in machine.gpus)


def _description(build: Installed, driver: Driver | None) -> str:
    how = {True: ", native on this driver", False: ", minor-compat on this driver"}
    cudnn = f", cuDNN {build.cudnn}" if build.cudnn else ""
    code = f"; code for {', '.join(map(str, build.code))}, {build.how}" if build.code else ""
    runs = how[native(tables(), build, driver)] if driver else ""
    return f"PyTorch {build.shown} with CUDA {build.cuda}{cudnn}{runs}{code}"


def _install(gpus: tuple[Gpu, ...]) -> str:
    combination = find_solution(Request(gpus)).combination
    if not combination:
        return "no driver of the tables drives these cards together"
    driver = combination.driver
    return (
        f"install driver {driver.branch.name} ({driver.version} or later of it) with the {driver.module} kernel module"
    )


def _install_pytorch(machine: Inventory, interpreter: str, python: str = "") -> str:
    """Returns which PyTorch goes with the driver that is there; else which driver is needed as well."""
    facts, gpus, driver = tables(), tuple(dict.fromkeys(machine.gpus)), _driver_of(machine)
    for with_driver, with_python in ((driver, python), (driver, ""), (None, "")):
        wheel = that_works(facts, with_driver, gpus, with_python, machine.pytorch.version if machine.pytorch else "")
        if wheel and (not with_driver or _drives(with_driver, machine)):
            also = f", and {_install(gpus)}" if machine.loaded and not with_driver else ""
            with_other = f" with Python {wheel.build.python[-1]}" if python not in ("", *wheel.build.python) else ""
            index = wheel.build.index
            own = "" if index == "pypi" else f" --index-url with PyTorch's own index for {index}"
            command = f"{interpreter or 'python3'} -m pip install torch=={wheel.version}{own}"
            return f"install PyTorch {wheel.shown}{with_other}: {command}{also}"
    return "the tables have no PyTorch for these cards"
