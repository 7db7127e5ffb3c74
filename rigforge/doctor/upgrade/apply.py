"""Does what the plan says, or puts everything back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from rigforge.doctor.kernels import has_module
from rigforge.doctor.upgrade import rollback_store
from rigforge.doctor.upgrade.module import compile_for, verify
from rigforge.doctor.upgrade.packages import OPTIONS, AptPackages
from rigforge.doctor.upgrade.pair import PackagedSystem, Pair
from rigforge.doctor.upgrade.plan import Plan
from rigforge.doctor.upgrade.rollback import hold, make_menu, put_back
from rigforge.doctor.upgrade.runner import Runner, UpgradeError

#: What of the packages is held: the pair, and what compiles one half of it for the other.
_PAIR = re.compile(r"(linux-(image|headers|modules)|nvidia-modules)-.*")

#: Nobody is asked about configuration files; another apt may have its turn first (seconds).
_APT = (
    "--yes",
    "--option=DPkg::Lock::Timeout=300",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
)


def apply(doing: Runner, plan: Plan, say: Callable[[str], None]) -> None:
    """Does an upgrade; the plan is one that is ready.

    Raises Failed; the previous packages and holds are back then, or the message says that they are not.
    """
    machine, before, after = doing.machine, plan.installed, plan.offered
    assert before and after
    say("fetching all packages")
    doing.run("apt-get", *_APT, *OPTIONS, "--download-only", "install", *plan.arguments)
    replaced = tuple(change.name for change in plan.packages if change.was)
    added = tuple(change.name for change in plan.packages if not change.was)
    # The module's package is kept in any case: DKMS writes to the same folder.
    keeping = sorted(
        {*replaced, *(package.name for package in PackagedSystem(machine, AptPackages(machine)).modules.values())}
    )
    say(f"keeping {len(keeping)} present packages for the way back")
    rollback_store.keep(machine, doing, keeping)
    record = rollback_store.UpgradeRecord(before.kernel, after.kernel, before.driver, added, plan.held)
    rollback_store.write(machine, record)
    had_module = has_module(machine, before.kernel)
    try:
        if plan.held:
            doing.run("apt-mark", "unhold", *plan.held)  # what was not held by a pin is from now on
        say(f"installing {len(plan.packages)} packages" + (", and compiling the module" if plan.compiled else ""))
        doing.run("apt-get", *_APT, *OPTIONS, "--no-download", "install", *plan.arguments)
        for kernel in plan.kernels:
            if plan.compiled:
                compile_for(doing, kernel, after.driver, say)
            say(f"checking the module for kernel {kernel}")
            verify(doing, kernel, after.driver)
        if before.driver == after.driver and had_module and not has_module(machine, before.kernel):
            raise UpgradeError(f"kernel {before.kernel} has lost its module")
        _boot(doing, before, after, say)
        _hold(doing, plan.held, [change.name for change in plan.packages if change.now])
        rollback_store.write(machine, replace(record, finished=True))
    except (UpgradeError, OSError, KeyboardInterrupt) as failure:
        why = str(failure) or "stopped"
        say(f"{why}\nputting the previous packages back")
        try:
            put_back(doing, record, say)
        except (UpgradeError, OSError) as second:
            raise UpgradeError(f"{why}; and the way back failed as well: {second}") from None
        raise UpgradeError(f"{why}; the previous packages are back, nothing has changed") from None


def _boot(doing: Runner, before: Pair, after: Pair, say: Callable[[str], None]) -> None:
    """Makes initramfs and boot menu for the new kernel, and looks whether the previous one is still there."""
    machine = doing.machine
    say("making initramfs and boot menu")
    for kernel in dict.fromkeys((after.kernel, before.kernel)):
        if kernel == before.kernel and before.driver == after.driver and before.kernel != after.kernel:
            continue
        has_initramfs = (machine.root / f"boot/initrd.img-{kernel}").exists()
        doing.run("update-initramfs", "-u" if has_initramfs else "-c", "-k", kernel)
    make_menu(doing, before.kernel, after.kernel)


def _hold(doing: Runner, before: Iterable[str], changed: Iterable[str]) -> None:
    installed = AptPackages(doing.machine).installed
    pair = [
        name
        for name in changed
        if name in installed and (_PAIR.match(name) or installed[name].source.startswith("nvidia-graphics-drivers"))
    ]
    hold(doing, {*pair, *before})
