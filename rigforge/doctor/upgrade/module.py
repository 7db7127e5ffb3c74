"""The driver's module for one kernel: compiled where it must be, and looked at before anybody boots it."""

from __future__ import annotations

from collections.abc import Callable

from rigforge.compat import inventory
from rigforge.doctor import kernels
from rigforge.doctor.checks import secure_boot
from rigforge.doctor.upgrade.packages import AptPackages
from rigforge.doctor.upgrade.pair import PackagedSystem
from rigforge.doctor.upgrade.runner import Runner, UpgradeError


def verify(doing: Runner, kernel: str, driver: str) -> None:
    """Looks whether a kernel has exactly one module, which is for it, of the driver's version and user space.

    Raises Failed.
    """
    machine = doing.machine
    files = kernels.modules(machine, kernel)
    if len(files) != 1 or not kernels.has_module(machine, kernel):
        raise UpgradeError(
            f"kernel {kernel} has {len(files)} NVIDIA modules in its folder, not one that modprobe finds"
        )
    file = str(files[0])
    magic, version = (doing.run("modinfo", "--field", field, file).split() for field in ("vermagic", "version"))
    if magic[:1] != [kernel]:
        raise UpgradeError(f"{file} is for kernel {' '.join(magic[:1])}, not for {kernel}")
    if version != [driver]:
        raise UpgradeError(f"{file} is of driver {' '.join(version)}, not {driver}")
    versions = {package.upstream for package in PackagedSystem(machine, AptPackages(machine)).user_space.values()}
    library = inventory.user_space(machine.root)
    if versions != {driver} or (library or driver) != driver:
        versions_in_words = ", ".join(sorted({*versions, library or driver}))
        raise UpgradeError(f"the driver's libraries are {versions_in_words}, its module is {driver}")
    if secure_boot.switched_on(machine) and not doing.run("modinfo", "--field", "signer", file).strip():
        raise UpgradeError(f"{file} is not signed, and Secure Boot is on")


def compile_for(doing: Runner, kernel: str, driver: str, say: Callable[[str], None]) -> None:
    """Has DKMS compile the module where the packages' own scripts have not: they see to one kernel only.

    Raises Failed.
    """
    try:
        verify(doing, kernel, driver)
        return
    except UpgradeError:
        pass
    source = next(doing.machine.root.glob(f"usr/src/nvidia*-{driver}"), None)
    if not source:
        raise UpgradeError(f"no package brought the source of driver {driver}")
    say(f"compiling driver {driver} for kernel {kernel}")
    name = source.name.removesuffix(f"-{driver}")
    doing.run("dkms", "install", "-m", name, "-v", driver, "-k", kernel)
