"""The NVIDIA driver: its module, its user space, what would keep it from loading now or at the next boot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from packaging.version import Version

from rigforge.compat import inventory
from rigforge.doctor import apt_pins
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks import libraries as missing
from rigforge.doctor.kernels import has_module, order
from rigforge.doctor.machine import Card, Machine
from rigforge.machine import libraries

MODULE = Topic("driver-module", "Without its kernel module no program reaches the GPU.")
USER_SPACE = Topic("driver-user-space", "Module and libraries of two versions refuse to talk to each other.")
HOLDER = Topic("card-driver", "One driver at a time has a card; only with NVIDIA's does it compute.")
NOUVEAU = Topic("nouveau", "While nouveau holds the card, NVIDIA's module cannot have it.")
NEXT_KERNEL = Topic("next-kernel", "A kernel without an NVIDIA module is how a machine loses its GPUs by an upgrade.")
HELD = Topic("held-packages", "What is held, no unattended upgrade parts: kernel and driver stay the pair they are.")

#: NVML's words (nvml.h, nvmlReturn_t, as the Python package has them) for no library, and for no way to the devices.
NOT_FOUND = "Shared Library Not Found"
WITHOUT_DEVICES = ("Unknown Error", "Insufficient Permissions", "Driver Not Loaded")

_VERSION = re.compile(r"\d{3,4}(\.\d{1,4}){1,2}", re.ASCII)

#: Drivers that keep a card for a virtual machine.
PASSED_ON = ("vfio-pci", "pci-stub", "xen-pciback", "nvgrace_gpu_vfio_pci")
#: Drivers of the kernel for NVIDIA's cards, of one of which the check `nouveau` speaks.
FREE = ("nouveau", "nova", "nova-core", "NovaCore")

UPGRADE = "rigforge-doctor upgrade --plan"


def checks(machine: Machine) -> Iterator[Check]:
    yield MODULE.of(lambda: _module(machine, machine.loaded))
    yield USER_SPACE.of(lambda: _user_space(machine, machine.loaded))
    if machine.container:
        yield from (
            topic.not_applicable("the host's, in a container") for topic in (HOLDER, NOUVEAU, NEXT_KERNEL, HELD)
        )
        return
    yield HOLDER.of(lambda: _holder(machine))
    yield NOUVEAU.of(lambda: _nouveau(machine, machine.loaded))
    yield NEXT_KERNEL.of(lambda: _next_kernel(machine))
    yield HELD.of(lambda: _held(machine))


def _module(machine: Machine, loaded: inventory.Loaded | None) -> Check:
    if loaded:
        return MODULE.ok(f"{loaded.version}, {loaded.module} kernel module")
    if not machine.cards:
        return MODULE.not_applicable("no NVIDIA GPU on the bus")
    if has_module(machine, machine.kernel):
        return MODULE.failed(
            "not loaded, though this kernel has it", "sudo modprobe nvidia; sudo dmesg | tail says why not"
        )
    if not inventory.has_driver(machine.root):
        return replace(MODULE.failed("no NVIDIA driver is installed", ""), cause="compatibility")
    return MODULE.failed(
        f"kernel {machine.kernel} has no NVIDIA module",
        f"choose the former kernel in the boot menu; {UPGRADE} says which pair the archive has",
    )


def _user_space(machine: Machine, loaded: inventory.Loaded | None) -> Check:
    if not loaded:
        return USER_SPACE.not_applicable("no module is loaded to compare it with")
    before = machine.environment.get("LD_LIBRARY_PATH", "").split(":")
    library = machine.libcuda or libraries.find(machine.root, before=filter(None, before))
    if not library:
        measured = missing.description(machine, libraries.CUDA)
        return USER_SPACE.failed(measured, missing.cure(machine, libraries.CUDA, loaded.version))
    if library.folder.endswith("/stubs"):
        measured = f"programs get the libcuda of {library.folder}, which is for linking and no driver"
        return USER_SPACE.failed(
            measured, f"sudo sed -i '\\|{library.folder}|d' /etc/ld.so.conf.d/*.conf && sudo ldconfig"
        )
    if library.version and library.version != loaded.version:
        return _mismatch(machine, loaded, library)
    same = f"both {loaded.version}" if library.version else f"{loaded.version}; the libraries do not say theirs"
    if machine.nvml.error and machine.cards:
        return USER_SPACE.failed(f"{same}, but NVML says: {machine.nvml.error}", _cure_of_nvml(machine, loaded))
    return USER_SPACE.ok(same)


def _mismatch(machine: Machine, loaded: inventory.Loaded, library: libraries.Library) -> Check:
    """Returns what is to be said of a module and libraries of two versions."""
    measured = f"the module is {loaded.version}, the libraries are {library.version}"
    if library.forward and Version(library.version) > Version(loaded.version):
        return USER_SPACE.ok(f"{measured}: NVIDIA's forward-compatibility package, in {library.folder}")
    if machine.container:
        return USER_SPACE.failed(
            f"{measured} ({library.folder}, in this container)",
            "make the container anew; if that does not help, its image brings a driver of its own: "
            "dpkg --search libcuda.so.1 names the package to take out of it",
        )
    answer = machine.ask("modinfo", "--field", "version", "nvidia")
    on_disk = answer.output if answer and not answer.code and _VERSION.fullmatch(answer.output) else ""
    if on_disk not in ("", library.version):
        return USER_SPACE.failed(
            f"{measured}, and so is not the module on the disk, {on_disk}",
            f"install both in one version; {UPGRADE} says which pair the archive has",
        )
    return USER_SPACE.failed(measured, "sudo reboot (the driver was upgraded under a running module)")


def _cure_of_nvml(machine: Machine, loaded: inventory.Loaded) -> str:
    """Returns what has NVML start again, where module and libcuda are of one version."""
    error = machine.nvml.error
    if NOT_FOUND in error:
        if libraries.find(machine.root, libraries.MANAGEMENT):
            return "sudo ldconfig"
        return missing.cure(machine, libraries.MANAGEMENT, loaded.version)
    if machine.container and error in WITHOUT_DEVICES:
        return "see device-files; make the container anew (docker rm, docker run --gpus all …)"
    if error in WITHOUT_DEVICES:
        return "see device-files; sudo dmesg | grep NVRM says more"
    management = libraries.find(machine.root, libraries.MANAGEMENT)
    if management and management.version not in ("", loaded.version):
        return f"libnvidia-ml is {management.version}: {missing.cure(machine, libraries.MANAGEMENT, loaded.version)}"
    return "make the container anew" if machine.container else "sudo reboot"


def _holder(machine: Machine) -> Check:
    """Says which cards other drivers have, but for nouveau, of which another check speaks."""
    holders = {card: card.driver for card in machine.cards if card.driver}
    if not holders:
        return HOLDER.not_applicable(
            "no NVIDIA GPU on the bus" if not machine.cards else "no driver is said to have it"
        )
    return HOLDER.worst(
        (
            _passed_on(card, driver) if driver in PASSED_ON else _foreign(card, driver)
            for card, driver in holders.items()
            if driver not in ("nvidia", *FREE)
        ),
        ", ".join(f"{card.address} {driver}" for card, driver in holders.items()),
    )


def _passed_on(card: Card, driver: str) -> Check:
    device = f"/sys/bus/pci/devices/{card.address}"
    return HOLDER.warning(
        f"{card.address} is kept for a virtual machine by {driver}",
        f"if it is to work here, end that machine, then: echo | sudo tee {device}/driver_override; "
        f"echo {card.address} | sudo tee {device}/driver/unbind; echo {card.address} | sudo tee "
        f"/sys/bus/pci/drivers_probe; grep -rs {driver} /etc/modprobe.d /proc/cmdline says what keeps it",
    )


def _foreign(card: Card, driver: str) -> Check:
    return HOLDER.failed(
        f"{card.address} is with the driver {driver}",
        f"echo {card.address} | sudo tee /sys/bus/pci/devices/{card.address}/driver/unbind; "
        f"echo {card.address} | sudo tee /sys/bus/pci/drivers_probe",
    )


def _nouveau(machine: Machine, loaded: inventory.Loaded | None) -> Check:
    """Says that nouveau has the cards; beside a driver of NVIDIA's that has one it is no trouble."""
    if not (machine.root / "sys/module/nouveau").is_dir():
        return NOUVEAU.ok("not loaded")
    had = [card.address for card in machine.cards if card.driver in FREE]
    if loaded and len(had) < max(len(machine.cards), 1):
        return NOUVEAU.ok("loaded, but NVIDIA's driver has a card" + (f"; nouveau has {', '.join(had)}" if had else ""))
    if not machine.cards:
        return NOUVEAU.ok("loaded, without an NVIDIA GPU on the bus")
    measured = f"has {', '.join(had)}" if had else "loaded"
    if not has_module(machine, machine.kernel):
        return replace(NOUVEAU.failed(f"{measured}, for want of NVIDIA's module", ""), cause=MODULE.id)
    return NOUVEAU.failed(
        measured,
        "printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' | sudo tee /etc/modprobe.d/nouveau.conf && "
        "sudo update-initramfs -u && sudo reboot",
    )


def _next_kernel(machine: Machine) -> Check:
    kernels = [image.name.removeprefix("vmlinuz-") for image in (machine.root / "boot").glob("vmlinuz-*")]
    if not kernels:
        return NEXT_KERNEL.not_applicable("no kernel in /boot")
    newest = max(kernels, key=order)
    if not has_module(machine, machine.kernel):
        return NEXT_KERNEL.not_applicable(f"the running kernel {machine.kernel} has no NVIDIA module either")
    if has_module(machine, newest):
        return NEXT_KERNEL.ok(f"{newest}, with an NVIDIA module")
    return NEXT_KERNEL.warning(
        f"the next boot starts {newest}, which has no NVIDIA module",
        f"sudo apt-get remove linux-image-{newest}; {UPGRADE} says which pair the archive has",
    )


def _held(machine: Machine) -> Check:
    if not has_module(machine, machine.kernel):
        return HELD.not_applicable("no NVIDIA module to hold a kernel for")
    answer = machine.ask("apt-mark", "showhold")
    if not answer or answer.code:
        return HELD.not_applicable("no apt on this machine")
    held = {*answer.output.split(), *apt_pins.pinned(machine)}
    kernel = [package for package in sorted(held) if package.startswith("linux-image-")]
    if not kernel and not machine.ours:
        return HELD.ok("no kernel, as on machines that Rigforge has not installed; next-kernel says what comes")
    if not kernel:
        return HELD.warning(
            "no kernel is held",
            f"sudo apt-mark hold linux-image-{machine.kernel}; {UPGRADE} says what the archive would bring",
        )
    if not any(package.endswith(machine.kernel) for package in kernel):
        return HELD.warning(
            f"held is {', '.join(kernel)}, running is {machine.kernel}",
            f"sudo apt-mark hold linux-image-{machine.kernel}",
        )
    return HELD.ok(f"{len(held)} packages, {', '.join(kernel)} among them")
