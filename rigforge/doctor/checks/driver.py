"""The NVIDIA driver: its module, its user space, what would keep it from loading now or at the next boot."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rigforge.compat import machine as installed
from rigforge.doctor import holds
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks import libraries as missing
from rigforge.doctor.kernels import has_module, order
from rigforge.doctor.machine import Machine
from rigforge.target import libraries

MODULE = Topic("driver-module", "Without its kernel module no program reaches the GPU.")
USER_SPACE = Topic("driver-user-space", "Module and libraries of two versions refuse to talk to each other.")
NOUVEAU = Topic("nouveau", "While nouveau holds the card, NVIDIA's module cannot have it.")
NEXT_KERNEL = Topic("next-kernel", "A kernel without an NVIDIA module is how a machine loses its GPUs by an upgrade.")
HELD = Topic("held-packages", "What is held, no unattended upgrade parts: kernel and driver stay the pair they are.")

#: NVML's words (nvml.h, nvmlReturn_t, as the Python package has them) for no library, and for no way to the devices.
NOT_FOUND = "Shared Library Not Found"
WITHOUT_DEVICES = ("Unknown Error", "Insufficient Permissions", "Driver Not Loaded")

_VERSION = re.compile(r"\d{3,4}(\.\d{1,4}){1,2}", re.ASCII)

UPGRADE = "rigforge-doctor upgrade --plan"


def checks(machine: Machine) -> Iterator[Check]:
    loaded = installed.loaded(machine.root)
    yield MODULE.of(lambda: _module(machine, loaded))
    yield USER_SPACE.of(lambda: _user_space(machine, loaded))
    if machine.container:
        yield from (topic.not_applicable("the host's, in a container") for topic in (NOUVEAU, NEXT_KERNEL, HELD))
        return
    yield NOUVEAU.of(lambda: _nouveau(machine))
    yield NEXT_KERNEL.of(lambda: _next_kernel(machine))
    yield HELD.of(lambda: _held(machine))


def _module(machine: Machine, loaded: installed.Loaded | None) -> Check:
    if loaded:
        return MODULE.ok(f"{loaded.version}, {loaded.module} kernel module")
    if not machine.cards:
        return MODULE.not_applicable("no NVIDIA GPU on the bus")
    if has_module(machine, machine.kernel):
        return MODULE.failed(
            "not loaded, though this kernel has it", "sudo modprobe nvidia; sudo dmesg | tail says why not"
        )
    return MODULE.failed(
        f"kernel {machine.kernel} has no NVIDIA module",
        f"choose the former kernel in the boot menu; {UPGRADE} says which pair the archive has",
    )


def _user_space(machine: Machine, loaded: installed.Loaded | None) -> Check:
    if not loaded:
        return USER_SPACE.not_applicable("no module is loaded to compare it with")
    before = machine.environment.get("LD_LIBRARY_PATH", "").split(":")
    library = libraries.find(machine.root) or libraries.find(machine.root, before=filter(None, before))
    if not library:
        measured = missing.told(machine, libraries.CUDA)
        return USER_SPACE.failed(measured, missing.cure(machine, libraries.CUDA, loaded.version))
    if library.folder.endswith("/stubs"):
        measured = f"programs get the libcuda of {library.folder}, which is for linking and no driver"
        return USER_SPACE.failed(
            measured, f"sudo sed -i '\\|{library.folder}|d' /etc/ld.so.conf.d/*.conf && sudo ldconfig"
        )
    if library.version and library.version != loaded.version:
        return _apart(machine, loaded, library)
    same = f"both {loaded.version}" if library.version else f"{loaded.version}; the libraries do not say theirs"
    if machine.nvml.error and machine.cards:
        return USER_SPACE.failed(f"{same}, but NVML says: {machine.nvml.error}", _cure_of_nvml(machine, loaded))
    return USER_SPACE.ok(same)


def _apart(machine: Machine, loaded: installed.Loaded, library: libraries.Library) -> Check:
    """Returns what is to be said of a module and libraries of two versions."""
    measured = f"the module is {loaded.version}, the libraries are {library.version}"
    if library.forward and _newer(library.version, loaded.version):
        return USER_SPACE.ok(f"{measured}: NVIDIA's forward-compatibility package, in {library.folder}")
    if machine.container:
        return USER_SPACE.failed(
            f"{measured} ({library.folder}, in this container)",
            "make the container anew; if that does not help, its image brings a driver of its own: "
            "dpkg --search libcuda.so.1 names the package to take out of it",
        )
    told = machine.ask("modinfo", "--field", "version", "nvidia")
    on_disk = told.said if told and not told.code and _VERSION.fullmatch(told.said) else ""
    if on_disk not in ("", library.version):
        return USER_SPACE.failed(
            f"{measured}, and so is not the module on the disk, {on_disk}",
            f"install both in one version; {UPGRADE} says which pair the archive has",
        )
    return USER_SPACE.failed(measured, "sudo reboot (the driver was upgraded under a running module)")


def _cure_of_nvml(machine: Machine, loaded: installed.Loaded) -> str:
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


def _newer(one: str, other: str) -> bool:
    return tuple(map(int, one.split("."))) > tuple(map(int, other.split(".")))


def _nouveau(machine: Machine) -> Check:
    if (machine.root / "sys/module/nouveau").is_dir():
        return NOUVEAU.failed(
            "loaded",
            "printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' | sudo tee /etc/modprobe.d/nouveau.conf && "
            "sudo update-initramfs -u && sudo reboot",
        )
    return NOUVEAU.ok("not loaded")


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
    told = machine.ask("apt-mark", "showhold")
    if not told or told.code:
        return HELD.not_applicable("no apt on this machine")
    held = {*told.said.split(), *holds.pinned(machine)}
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
