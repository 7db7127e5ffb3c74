"""Does what the plan says, or puts everything back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from rigforge.compat import machine as compat
from rigforge.doctor import kernels
from rigforge.doctor.checks import secure_boot
from rigforge.doctor.upgrade import kept
from rigforge.doctor.upgrade.back import put_back
from rigforge.doctor.upgrade.doing import Doing, Failed
from rigforge.doctor.upgrade.packages import OPTIONS, Packages
from rigforge.doctor.upgrade.pair import Pair, System
from rigforge.doctor.upgrade.plan import Plan

#: What of the packages is held: the pair, and what compiles one half of it for the other.
_PAIR = re.compile(r"(linux-(image|headers|modules)|nvidia-modules)-.*")

_APT = ("--yes", "--option=Dpkg::Options::=--force-confdef", "--option=Dpkg::Options::=--force-confold")


def apply(doing: Doing, plan: Plan, say: Callable[[str], None]) -> None:
    """Does an upgrade; the plan is one that is ready.

    Raises Failed; the previous packages and holds are back then, or the message says that they are not.
    """
    machine, before, after = doing.machine, plan.installed, plan.offered
    assert before and after
    say("fetching all packages")
    doing.run("apt-get", *_APT, *OPTIONS, "--download-only", "install", *plan.arguments)
    replaced = tuple(change.name for change in plan.packages if change.was)
    added = tuple(change.name for change in plan.packages if not change.was)
    say(f"keeping {len(replaced)} present packages for the way back")
    kept.keep(machine, doing, replaced)
    record = kept.Record(before.kernel, after.kernel, before.driver, replaced, added, plan.held)
    kept.write(machine, record)
    try:
        if held := sorted({*replaced} & {*plan.held}):
            doing.run("apt-mark", "unhold", *held)
        say(f"installing {len(plan.packages)} packages" + (", and compiling the module" if plan.compiled else ""))
        doing.run("apt-get", *_APT, *OPTIONS, "--no-download", "install", *plan.arguments)
        for kernel in plan.kernels:
            if plan.compiled:
                _compile(doing, kernel, after.driver, say)
            say(f"checking the module for kernel {kernel}")
            verify(doing, kernel, after.driver)
        _boot(doing, before, after, say)
        _hold(doing, plan.held, [change.name for change in plan.packages if change.now])
        kept.write(machine, replace(record, finished=True))
    except (Failed, OSError, KeyboardInterrupt) as failure:
        why = str(failure) or "stopped"
        say(f"{why}\nputting the previous packages back")
        try:
            put_back(doing, record)
        except (Failed, OSError) as second:
            raise Failed(f"{why}; and the way back failed as well: {second}") from None
        raise Failed(f"{why}; the previous packages are back, nothing has changed") from None


def verify(doing: Doing, kernel: str, driver: str) -> None:
    """Looks whether a kernel has exactly one module, which is for it, of the driver's version and user space.

    Raises Failed.
    """
    machine = doing.machine
    files = kernels.modules(machine, kernel)
    if len(files) != 1 or not kernels.has_module(machine, kernel):
        raise Failed(f"kernel {kernel} has {len(files)} NVIDIA modules in its folder, not one that modprobe finds")
    file = str(files[0])
    magic, version = (doing.run("modinfo", "--field", field, file).split() for field in ("vermagic", "version"))
    if magic[:1] != [kernel]:
        raise Failed(f"{file} is for kernel {' '.join(magic[:1])}, not for {kernel}")
    if version != [driver]:
        raise Failed(f"{file} is of driver {' '.join(version)}, not {driver}")
    versions = {package.upstream for package in System(machine, Packages(machine)).user_space.values()}
    library = compat.user_space(machine.root)
    if versions != {driver} or library not in ("", driver):
        raise Failed(f"the driver's libraries are {', '.join(sorted({*versions, library}))}, its module is {driver}")
    if secure_boot.switched_on(machine) and not doing.run("modinfo", "--field", "signer", file).strip():
        raise Failed(f"{file} is not signed, and Secure Boot is on")


def _compile(doing: Doing, kernel: str, driver: str, say: Callable[[str], None]) -> None:
    """Has DKMS compile the module where the packages' own scripts have not: they see to one kernel only."""
    try:
        verify(doing, kernel, driver)
        return
    except Failed:
        pass
    source = next(doing.machine.root.glob(f"usr/src/nvidia*-{driver}"), None)
    if not source:
        raise Failed(f"no package brought the source of driver {driver}")
    say(f"compiling driver {driver} for kernel {kernel}")
    name = source.name.removesuffix(f"-{driver}")
    doing.run("dkms", "install", "-m", name, "-v", driver, "-k", kernel)


def _boot(doing: Doing, before: Pair, after: Pair, say: Callable[[str], None]) -> None:
    """Makes initramfs and boot menu for the new kernel, and looks whether the previous one is still there."""
    machine = doing.machine
    say("making initramfs and boot menu")
    for kernel in dict.fromkeys((after.kernel, before.kernel)):
        if kernel == before.kernel and before.driver == after.driver and before.kernel != after.kernel:
            continue
        there = (machine.root / f"boot/initrd.img-{kernel}").exists()
        doing.run("update-initramfs", "-u" if there else "-c", "-k", kernel)
    if machine.has("update-grub") and (machine.root / "boot/grub/grub.cfg").exists():
        doing.run("update-grub")
        menu = machine.text("boot/grub/grub.cfg")
        for kernel in (before.kernel, after.kernel):
            if f"vmlinuz-{kernel}" not in menu:
                raise Failed(f"kernel {kernel} is not in the boot menu")


def _hold(doing: Doing, before: Iterable[str], changed: Iterable[str]) -> None:
    installed = Packages(doing.machine).installed
    pair = [
        name
        for name in changed
        if name in installed and (_PAIR.match(name) or installed[name].source.startswith("nvidia-graphics-drivers"))
    ]
    doing.run("apt-mark", "hold", *sorted({*pair, *(name for name in before if name in installed)}))
