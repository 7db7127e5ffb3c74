"""Debian: the names of its packages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rigforge.compat.tables import Module
    from rigforge.stack.model import Stack
    from rigforge.stack.sections import Archive

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

#: What compiles the kernel module, by archive and kind of module.
MODULES = {
    ("apt", "open"): "nvidia-kernel-dkms",
    ("nvidia", "open"): "nvidia-kernel-open-dkms",
    ("nvidia", "proprietary"): "nvidia-kernel-dkms",
}


def kernel_packages(stack: Stack) -> tuple[str, ...]:
    """Returns the kernel's packages."""
    return (stack.kernel.package,)


def driver_packages(stack: Stack) -> tuple[str, ...]:
    """Returns the user space of the GPU driver; with `dkms` also what rebuilds its module on the machine."""
    if stack.driver.provider == "none":
        return ()
    driver = NVIDIA_DRIVER if stack.driver.provider == "nvidia" else DRIVER
    return (*driver, *module_packages(stack)) if stack.driver.dkms else driver


def module_packages(stack: Stack) -> tuple[str, ...]:
    """Returns what compiles the driver's kernel module for the locked kernel."""
    if stack.driver.provider == "none":
        return ()
    headers = stack.kernel.package.replace("linux-image-", "linux-headers-", 1)
    return (MODULES[stack.driver.provider, stack.driver.module], headers)


def prebuilt_modules(stack: Stack) -> str:
    """Returns nothing: Debian has the driver's module as source."""
    return ""


def medium_packages(stack: Stack) -> tuple[str, ...]:
    """Returns boot loaders, live system and the tools that the installer drives."""
    return (*BOOT, *LIVE, *INSTALLER)


def kernel_module(stack: Stack) -> Module:
    """Returns which of the driver's two kernel modules the stack has."""
    return stack.driver.module if stack.driver.provider == "nvidia" else "proprietary"


def module_support(stack: Stack) -> str:
    """Returns the package with what the kernel module needs beside it."""
    return "nvidia-kernel-support"


def pool_loaders(stack: Stack) -> tuple[tuple[str, ...], ...]:
    """Returns none: the boot loaders are in the layers."""
    return ()


def mirror(archive: Archive) -> str:
    """Returns the variable of an archive of Debian's own."""
    return {"debian": "$MIRROR", "debian-security": "$SECURITY"}.get(archive.role, "")


def sources_file(sources_list: str) -> tuple[str, str]:
    """Returns cloud-init's configuration: its own template has only the component `main`, where no driver is."""
    apt = {"preserve_sources_list": False, "sources_list": sources_list}
    return "etc/cloud/cloud.cfg.d/90-rigforge-apt.cfg", json.dumps({"apt": apt}, indent=2) + "\n"


def pockets() -> tuple[str, ...]:
    """Returns none: releases may be mixed, modules are compiled for the kernel that there is."""
    return ()


def live_server(stack: Stack) -> str:
    """Returns nothing: the medium is all our own."""
    return ""
