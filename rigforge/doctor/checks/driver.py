"""The NVIDIA driver: its module, its user space, what would keep it from loading now or at the next boot."""

from __future__ import annotations

from collections.abc import Iterator

from rigforge.compat import machine as installed
from rigforge.doctor import holds
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.kernels import has_module, order
from rigforge.doctor.machine import Machine

MODULE = Topic("driver-module", "Without its kernel module no program reaches the GPU.")
USER_SPACE = Topic("driver-user-space", "Module and libraries of two versions refuse to talk to each other.")
NOUVEAU = Topic("nouveau", "While nouveau holds the card, NVIDIA's module cannot have it.")
NEXT_KERNEL = Topic("next-kernel", "A kernel without an NVIDIA module is how a machine loses its GPUs by an upgrade.")
HELD = Topic("held-packages", "What is held, no unattended upgrade parts: kernel and driver stay the pair they are.")

UPGRADE = "rigforge-doctor upgrade --plan"


def checks(machine: Machine) -> Iterator[Check]:
    loaded = installed.loaded(machine.root)
    user_space = installed.user_space(machine.root)
    yield MODULE.of(lambda: _module(machine, loaded))
    yield USER_SPACE.of(lambda: _user_space(machine, loaded, user_space))
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


def _user_space(machine: Machine, loaded: installed.Loaded | None, user_space: str) -> Check:
    if not loaded:
        return USER_SPACE.not_applicable("no module is loaded to compare it with")
    if not user_space:
        if machine.container:
            return USER_SPACE.failed("no libcuda.so.1 in this container", "start it with: docker run --gpus all …")
        return USER_SPACE.failed("no libcuda.so.1", f"install the driver's libraries in version {loaded.version}")
    if user_space != loaded.version:
        return USER_SPACE.failed(
            f"the module is {loaded.version}, the libraries are {user_space}",
            "sudo reboot (the driver was upgraded under a running module)",
        )
    if machine.nvml.error and machine.cards:
        return USER_SPACE.failed(f"both {user_space}, but NVML says: {machine.nvml.error}", "sudo reboot")
    return USER_SPACE.ok(f"both {user_space}")


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
