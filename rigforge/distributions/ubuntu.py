"""Ubuntu: the names of its packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rigforge.errors import RigforgeError

if TYPE_CHECKING:
    from rigforge.compat.tables import Module
    from rigforge.stack.model import Stack
    from rigforge.stack.sections import Archive

#: What goes with any boot loader.
BOOT = ("efibootmgr", "mokutil")

#: What Canonical's installer takes from its medium's pool, by the firmware: BIOS, UEFI (curtin, curthooks.py,
#: install_missing_packages). GRUB is not in the layers, since either wants the rest of it in exactly its own version.
#: What else these depend on is: the pool lacks what Canonical's own layers have.
POOL_LOADERS = (("grub-pc",), ("grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed"))

#: What makes the layers a live system as well.
LIVE = ("casper",)

#: What Canonical's installer runs in the installed system, which has no network to get it from, and what it asks for by
#: file system and kind of volume (curtin, block/deps.py).
INSTALLER = (
    "btrfs-progs",
    "cloud-init",
    "console-setup",
    "cryptsetup",
    "cryptsetup-initramfs",
    "dosfstools",
    "e2fsprogs",
    "initramfs-tools",
    "keyboard-configuration",
    "lvm2",
    "python3-yaml",
    "xfsprogs",
)

#: The driver's user space without a graphical system. Ubuntu's packages have the branch at the end of their names,
#: those of NVIDIA's own archive do not (NVIDIA Driver Installation Guide, Ubuntu, Compute-only System).
DRIVER = (
    "libnvidia-cfg1",
    "libnvidia-compute",
    "nvidia-compute-utils",
    "nvidia-kernel-common",
    "nvidia-utils",
)

#: A branch, as package names have it: "580-server-open". "-open" is of the module alone.
_BRANCH = re.compile(r"(?P<branch>\d{3}(-server)?)(?P<open>-open)?")


def kernel_packages(stack: Stack) -> tuple[str, ...]:
    """Returns the kernel's packages."""
    return (stack.kernel.package,)


def driver_packages(stack: Stack) -> tuple[str, ...]:
    """Returns the user space of the GPU driver without a graphical system, and Canonical's module for the kernel.

    Raises RigforgeError where driver.version is no branch.
    """
    if stack.driver.provider == "none":
        return ()
    if stack.driver.provider == "nvidia":
        return (*DRIVER, *module_packages(stack)) if stack.driver.dkms else DRIVER
    return (prebuilt_modules(stack), *(f"{name}-{_branch(stack)['branch']}" for name in DRIVER))


def module_packages(stack: Stack) -> tuple[str, ...]:
    """Returns what compiles NVIDIA's module; nothing where Canonical builds and signs it."""
    if stack.driver.provider != "nvidia":
        return ()
    headers = f"linux-headers-{_flavour(stack)}"
    return ("nvidia-dkms-open" if stack.driver.module == "open" else "nvidia-dkms", headers)


def prebuilt_modules(stack: Stack) -> str:
    """Returns the package that depends on Canonical's signed modules for its newest kernel that has them."""
    if stack.driver.provider != "apt":
        return ""
    return f"linux-modules-nvidia-{_branch(stack)[0]}-{_flavour(stack)}"


def kernel_module(stack: Stack) -> Module:
    """Returns which of the driver's two kernel modules the stack has."""
    if stack.driver.provider == "nvidia":
        return stack.driver.module
    return "open" if _branch(stack)["open"] else "proprietary"


def module_support(stack: Stack) -> str:
    """Returns the package with what the kernel module needs beside it."""
    return "nvidia-kernel-common"


def medium_packages(stack: Stack) -> tuple[str, ...]:
    """Returns live system, and what the installer runs in the installed system."""
    return (*BOOT, *LIVE, *INSTALLER)


def pool_loaders(stack: Stack) -> tuple[tuple[str, ...], ...]:
    """Returns the sets of boot loaders in the pool of Canonical's medium, of which the installer takes one."""
    return POOL_LOADERS


def mirror(archive: Archive) -> str:
    """Returns one variable for security updates, and one for the rest of the archive."""
    if archive.role != "ubuntu":
        return ""
    return "$SECURITY" if archive.suite.endswith("-security") else "$MIRROR"


def sources_file(sources_list: str) -> tuple[str, str]:
    """Returns the list itself: curtin fills in the one that it finds, and ends where that names no archive."""
    return "etc/apt/sources.list", sources_list


def pockets() -> tuple[str, ...]:
    """Returns the pockets of a release, without -proposed."""
    return ("", "-updates", "-security", "-backports")


def live_server(stack: Stack) -> str:
    """Returns the release whose live-server ISO the medium is made from."""
    return stack.system.suite


def _flavour(stack: Stack) -> str:
    return re.sub("^linux-(image-)?", "", stack.kernel.package)


def _branch(stack: Stack) -> re.Match[str]:
    found = _BRANCH.fullmatch(stack.driver.version)
    if not found:
        raise RigforgeError(
            f"stack {stack.name}: [driver] version = {stack.driver.version!r} is no branch of Ubuntu's packages",
            'name one such as "580-server-open"; the lock has its exact version',
        )
    return found
