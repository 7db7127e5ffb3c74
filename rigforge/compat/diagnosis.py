"""What is wrong with a machine that is set up already, and what would cure it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from rigforge.compat.answer import Request, answer
from rigforge.compat.gpu import Gpu
from rigforge.compat.machine import Loaded, Machine, Pytorch
from rigforge.compat.rules import Driver, Wheel, driver_with_gpu, driver_with_pytorch, pytorch_with_gpu, runs
from rigforge.compat.tables import tables
from rigforge.compat.wishes import Wish


@dataclass(frozen=True)
class Finding:
    """One thing about the machine, and what cures it where it is wrong.

    `follows` is the doctor's check that has the cause, and a better cure where it is in trouble.
    """

    status: Literal["ok", "warning", "failed"]
    message: str
    cure: str = ""
    follows: str = ""


def diagnose(machine: Machine) -> tuple[Finding, ...]:
    """Returns what was found, from the cards up to PyTorch."""
    return (*_cards(machine), *_driver(machine), *_pytorch(machine))


def _cards(machine: Machine) -> Iterator[Finding]:
    for gpu in dict.fromkeys(machine.gpus):
        yield Finding("ok", f"{machine.gpus.count(gpu)} × {gpu.name}, compute capability {gpu.compute_capability}")
    for device in machine.unknown:
        yield Finding(
            "warning", f"an NVIDIA card that the table has not: {device}", f'invoke explain --gpu "{device}=8.9"'
        )
    if not machine.gpus and not machine.unknown:
        yield Finding("failed", "no NVIDIA card on the PCI bus", "check that the card is seated and has power")


def _driver(machine: Machine) -> Iterator[Finding]:
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
    branch = tables().branch_of(loaded.version)
    if machine.user_space and machine.user_space != loaded.version:
        message = f"the kernel module is {loaded.version}, the driver's libraries are {machine.user_space}"
        cure = "restart the machine; if that does not help, install both in one version"
        yield Finding("failed", message, cure, "driver-user-space")
    elif not machine.user_space:
        message = f"module {loaded.version} is loaded, but there is no libcuda.so.1"
        cure = f"install the driver's libraries in version {loaded.version}"
        yield Finding("failed", message, cure, "driver-user-space")
    if not branch:
        yield Finding("warning", f"driver {loaded.version} is in no table of {tables().as_of}")
        return
    driver = Driver(branch, loaded.version, loaded.module)
    broken = [why for gpu in gpus if (why := driver_with_gpu(tables(), driver, gpu))]
    for why in broken:
        yield Finding("failed", why, _install(gpus))
    if not broken:
        yield Finding("ok", f"driver {loaded.version}, {loaded.module} kernel module, native for CUDA {branch.cuda}")


def _pytorch(machine: Machine) -> Iterator[Finding]:
    pytorch, loaded, there = machine.pytorch, machine.loaded, tables()
    if machine.toolkit:
        yield Finding("ok", f"CUDA toolkit {machine.toolkit} in /usr/local/cuda; PyTorch's wheels bring their own CUDA")
    if not pytorch:
        yield Finding("warning", "no PyTorch in the Python of PATH", _install_pytorch(machine))
        return
    if not pytorch.cuda:
        message = f"PyTorch {pytorch.version} of {pytorch.interpreter} is without CUDA"
        yield Finding("failed", message, _install_pytorch(machine))
        return
    wheel = _wheel(pytorch)
    if not wheel:
        yield Finding("warning", f"PyTorch {pytorch.version} is in no table of {there.as_of}")
        return
    branch = there.branch_of(loaded.version) if loaded else None
    driver = Driver(branch, loaded.version, loaded.module) if loaded and branch else None
    broken = [why for gpu in dict.fromkeys(machine.gpus) if (why := pytorch_with_gpu(there, wheel, gpu))]
    broken += [driver_with_pytorch(there, driver, wheel)] if driver else []
    for why in filter(None, broken):
        yield Finding("failed", why, _install_pytorch(machine))
    if not any(broken):
        how = f", {runs(there, driver, wheel)} on this driver" if driver else ""
        yield Finding("ok", f"PyTorch {wheel.shown} with CUDA {pytorch.cuda}, cuDNN {wheel.build.cudnn}{how}")


def _wheel(pytorch: Pytorch) -> Wheel | None:
    """Returns the build that is installed, with CUDA and cuDNN as they are there; None for one that no table has."""
    try:
        version = Version(pytorch.version)
    except InvalidVersion:
        return None
    public, index = Version(version.public), version.local or "pypi"
    build = next((each for each in tables().builds if public in each.versions and each.index == index), None)
    there = {"cuda": pytorch.cuda, "cudnn": pytorch.cudnn}
    found = {name: Version(text) for name, text in there.items() if text}
    return Wheel(build.model_copy(update=found), public) if build else None


def _install(gpus: tuple[Gpu, ...]) -> str:
    found = answer(Request(gpus)).combination
    if not found:
        return "no driver of the tables drives these cards together"
    driver = found.driver
    return (
        f"install driver {driver.branch.name} ({driver.version} or later of it) with the {driver.module} kernel module"
    )


def _install_pytorch(machine: Machine) -> str:
    """Returns which PyTorch goes with the driver that is there; else which driver is needed as well."""
    loaded: Loaded | None = machine.loaded
    gpus = tuple(dict.fromkeys(machine.gpus))
    wish = Wish("archives", f"driver {loaded.version}", (loaded.version,)) if loaded else None
    for wishes in ((wish,) if wish else (), ()):
        if found := answer(Request(gpus, wishes)).combination:
            also = "" if wishes else f" and driver {found.driver.branch.name}"
            return f"install PyTorch {found.wheel.shown}{also}"
    return "no PyTorch of the tables goes with these cards"
