"""The way back to the packages before the last upgrade. It needs no archive, and no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from rigforge.doctor.machine import Machine
from rigforge.doctor.upgrade import rollback_store
from rigforge.doctor.upgrade.debian import COMPILERS
from rigforge.doctor.upgrade.module import compile_for
from rigforge.doctor.upgrade.packages import AptPackages, OfferedPackage
from rigforge.doctor.upgrade.runner import Runner, UpgradeError
from rigforge.machine import pins


def put_back(doing: Runner, record: rollback_store.UpgradeRecord, say: Callable[[str], None]) -> None:
    """Takes away what an upgrade added, installs what it replaced, and holds what was held.

    dpkg does it and not apt, which refuses to go on where a package is half installed.

    Raises Failed where it cannot; before it has changed anything, where the kernel to be taken away is running.
    """
    machine = doing.machine
    if machine.kernel == record.new_kernel != record.kernel:
        raise UpgradeError(
            f"kernel {record.new_kernel} is running, and goes with the way back; start the previous one first: "
            + once(machine, record.kernel)
        )
    installed = AptPackages(machine).installed
    if held := sorted(name for name, package in installed.items() if package.held):
        doing.run("apt-mark", "unhold", *held)
    replaced = {deb.stem for deb in rollback_store.debs(machine)}
    if added := _free(installed, {*record.added} & {*installed}, replaced):
        doing.run("dpkg", "--force-depends,remove-reinstreq", "--purge", *added)
    if debs := rollback_store.debs(machine):
        doing.run("dpkg", "--force-depends,downgrade,confold", "--install", *map(str, debs))
    doing.run("dpkg", "--configure", "--pending")
    if any(name in AptPackages(machine).installed for name in COMPILERS):
        compile_for(doing, record.kernel, record.driver, say)  # what DKMS made is in no package
    doing.run("depmod", "-a", record.kernel)
    doing.run("update-initramfs", "-u", "-k", record.kernel)
    hold(doing, record.holds)
    if broken := doing.run("dpkg", "--audit").strip():
        raise UpgradeError(f"dpkg finds packages that are not as they should be: {broken}")
    doing.run("apt-get", "check")
    make_menu(doing, record.kernel)
    rollback_store.forget(machine)


def hold(doing: Runner, names: Iterable[str]) -> None:
    """Holds what is installed of these packages in its present version, and nothing else."""
    installed = AptPackages(doing.machine).installed
    file = doing.machine.root / pins.FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(pins.text({name: installed[name].version for name in names if name in installed}))


def make_menu(doing: Runner, *kernels: str) -> None:
    """Makes the boot menu. Raises Failed where one of the kernels is not in it, so that nobody reboots into nothing."""
    menu = "boot/grub/grub.cfg"
    if not (doing.machine.has("update-grub") and (doing.machine.root / menu).exists()):
        return
    doing.run("update-grub")
    text = doing.machine.text(menu)
    for kernel in kernels:
        if f"vmlinuz-{kernel}" not in text:
            raise UpgradeError(f"kernel {kernel} is not in the boot menu that update-grub makes (/{menu})")


def _free(installed: Mapping[str, OfferedPackage], added: set[str], replaced: set[str]) -> list[str]:
    """Returns those of the added packages that nothing needs which was installed since, such as a compiler.

    >>> there = {name: Package(name, "1", depends=needs) for name, needs in {"a": "b", "b": "", "c": "b | x"}.items()}
    >>> _free(there, {"a", "b"}, set()), _free(there, {"a", "b"}, {"c"})
    (['a'], ['a', 'b'])
    """
    free = set(added)
    while True:
        staying = installed.keys() - free
        needed = {
            name
            for package in staying - replaced
            for names in _alternatives(installed[package].depends)
            if not names & staying
            for name in names & free
        }
        if not needed:
            return sorted(free)
        free -= needed


def _alternatives(depends: str) -> list[set[str]]:
    """Returns the names of a list of dependencies, those together of which one is enough."""
    return [set(re.findall(r"(?:^|\|) *([^\s|:(]+)", part)) for part in depends.split(",")]


def once(machine: Machine, kernel: str) -> str:
    """Returns what starts a kernel once, from the machine itself or from the boot menu."""
    menu = machine.text("boot/grub/grub.cfg")
    outer = re.search(r"submenu .*?'(gnulinux-advanced-[^']*)'", menu)
    inner = re.search(rf"'(gnulinux-{re.escape(kernel)}-advanced-[^']*)'", menu)
    if outer and inner:
        return f"sudo grub-reboot '{outer[1]}>{inner[1]}' && sudo reboot"
    return f"choose Advanced options, then {kernel}, in the boot menu"
