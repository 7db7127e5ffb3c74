"""Debian: the names of its packages, and our installer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rigforge.distributions.distribution import Distribution, DriverPackages, sources_list
from rigforge.installers import Installer

if TYPE_CHECKING:
    from rigforge.stack.model import Stack
    from rigforge.stack.providers import Module, Provider
    from rigforge.stack.sections import Driver

#: Boot loaders for both firmwares. The -bin packages, because grub-pc and grub-efi-amd64 exclude each other.
BOOT = (
    "efibootmgr",
    "grub-efi-amd64-bin",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "grub2-common",
    "memtest86+",
    "mokutil",
    "shim-signed",
)

#: What makes the medium a live system.
LIVE = ("live-boot", "live-boot-initramfs-tools")

#: What the installer drives, and what the seed needs on the first boot.
INSTALLER = (
    "cloud-init",
    "console-setup",
    "cryptsetup",
    "cryptsetup-initramfs",
    "dosfstools",
    "fdisk",
    "gdisk",
    "initramfs-tools",
    "keyboard-configuration",
    "kbd",
    "lvm2",
    "python3-yaml",
    "rsync",
    "squashfs-tools",
    "zstd",
)

#: The driver's user space without a graphical system; Debian's nvidia-driver would pull in Xorg.
DRIVER = (
    "firmware-nvidia-gsp",
    "libcuda1",
    "libnvidia-cfg1",
    "libnvidia-ml1",
    "libnvidia-ptxjitcompiler1",
    "nvidia-kernel-support",
    "nvidia-modprobe",
    "nvidia-persistenced",
    "nvidia-smi",
)

#: The same as NVIDIA's own archive has it (NVIDIA Driver Installation Guide, Debian, Compute-only System).
NVIDIA_DRIVER = (*(name for name in DRIVER if name != "nvidia-smi"), "nvidia-driver-cuda")

#: By provider: user space, and what compiles each of the modules.
DRIVERS: dict[Provider, tuple[tuple[str, ...], dict[Module, str]]] = {
    "apt": (DRIVER, {"proprietary": "nvidia-kernel-dkms"}),
    "nvidia": (NVIDIA_DRIVER, {"open": "nvidia-kernel-open-dkms", "proprietary": "nvidia-kernel-dkms"}),
}

#: What cloud-init fills in with a mirror, by the role of an archive.
MIRRORS = {"debian": "$MIRROR", "debian-security": "$SECURITY"}


def of(stack: Stack) -> Distribution:
    """Returns Debian as a stack has it."""
    mirrors = {archive: MIRRORS[archive.role] for archive in stack.archives if archive.role in MIRRORS}
    # Its own template has only the component `main`, where no driver is.
    apt = {"preserve_sources_list": False, "sources_list": sources_list(mirrors)}
    return Distribution(
        driver=_driver(stack.driver, stack.kernel.package),
        installer=Installer("rigforge", (*BOOT, *LIVE, *INSTALLER)),
        archives=tuple(mirrors),
        suites=(),
        sources_file="etc/cloud/cloud.cfg.d/90-rigforge-apt.cfg",
        sources=json.dumps({"apt": apt}, indent=2) + "\n",
    )


def _driver(driver: Driver, kernel: str) -> DriverPackages:
    if driver.provider not in DRIVERS:
        return DriverPackages()
    names, dkms = DRIVERS[driver.provider]
    # There is but one in Debian's archive.
    module = driver.module if driver.module in dkms else next(iter(dkms))
    compiling = (dkms[module], kernel.replace("linux-image-", "linux-headers-", 1))
    user_space = (*names, *compiling) if driver.dkms else names
    return DriverPackages(user_space, compiling, support="nvidia-kernel-support", module=module)
