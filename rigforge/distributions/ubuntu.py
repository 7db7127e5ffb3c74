"""Ubuntu: the names of its packages, and Canonical's installer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rigforge.distributions.distribution import Distribution, DriverPackages, sources_list
from rigforge.errors import RigforgeError
from rigforge.installers import Installer

if TYPE_CHECKING:
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

#: What the kernel module needs beside it.
SUPPORT = "nvidia-kernel-common"

#: A branch, as package names have it: "580-server-open". "-open" is of the module alone.
_BRANCH = re.compile(r"(?P<branch>\d{3}(-server)?)(?P<open>-open)?")


#: The pockets of a release. -proposed is none of them.
POCKETS = ("", "-updates", "-security", "-backports")

#: The archive's role.
ROLE = "ubuntu"


def of(stack: Stack) -> Distribution:
    """Returns Ubuntu as a stack has it.

    Raises RigforgeError where the driver is Ubuntu's own, and its version no branch.
    """
    suite = stack.system.suite
    mirrors = {archive: _mirror(archive) for archive in stack.archives if archive.role == ROLE}
    return Distribution(
        driver=_driver(stack),
        installer=Installer("subiquity", (*BOOT, *LIVE, *INSTALLER), POOL_LOADERS, suite),
        archives=tuple(mirrors),
        suites=tuple(f"{suite}{pocket}" for pocket in POCKETS),
        # curtin fills in the list that it finds, and ends where that names no archive.
        sources_file="etc/apt/sources.list",
        sources=sources_list(mirrors),
    )


def _mirror(archive: Archive) -> str:
    """Returns what curtin fills in with a mirror: one for security updates, and one for the rest of the archive."""
    return "$SECURITY" if archive.suite.endswith("-security") else "$MIRROR"


def _driver(stack: Stack) -> DriverPackages:
    """Returns NVIDIA's packages, or those of a branch of Ubuntu's, of which Canonical builds and signs the module."""
    driver = stack.driver
    if driver.provider == "none":
        return DriverPackages()
    flavour = re.sub("^linux-(image-)?", "", stack.kernel.package)
    if driver.provider == "nvidia":
        compiling = ("nvidia-dkms-open" if driver.module == "open" else "nvidia-dkms", f"linux-headers-{flavour}")
        rebuilding = compiling if driver.dkms else ()
        return DriverPackages((*DRIVER, *rebuilding), compiling, support=SUPPORT, module=driver.module)
    branch = _branch(stack)
    prebuilt = f"linux-modules-nvidia-{branch[0]}-{flavour}"
    user_space = (prebuilt, *(f"{name}-{branch['branch']}" for name in DRIVER))
    return DriverPackages(
        user_space, prebuilt=prebuilt, support=SUPPORT, module="open" if branch["open"] else "proprietary"
    )


def _branch(stack: Stack) -> re.Match[str]:
    branch = _BRANCH.fullmatch(stack.driver.version)
    if not branch:
        raise RigforgeError(
            f"stack {stack.name}: [driver] version = {stack.driver.version!r} is no branch of Ubuntu's packages",
            'name one such as "580-server-open"; the lock has its exact version',
        )
    return branch
