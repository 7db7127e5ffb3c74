"""Kernels by their names, as in /boot and in /lib/modules, and which of them have the driver's module."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import Version

from rigforge.doctor.machine import Machine

#: Names of the driver's main module: NVIDIA's own and Debian's.
MODULES = ("nvidia.ko", "nvidia-current.ko")


def has_module(machine: Machine, kernel: str) -> bool:
    """Tells whether modprobe would find the driver's module for a kernel."""
    listed = machine.text(f"lib/modules/{kernel}/modules.dep") if kernel else ""
    if listed:
        return any(f"/{name}" in listed for name in MODULES)
    return bool(modules(machine, kernel))


def modules(machine: Machine, kernel: str) -> tuple[Path, ...]:
    """Returns the files of the driver's main module for a kernel, packed or not; more than one is a fault."""
    folder = machine.root / "lib/modules" / kernel
    if not kernel or not folder.is_dir():
        return ()
    return tuple(sorted(file for name in MODULES for file in folder.rglob(f"{name}*")))


def order(kernel: str) -> Version:
    """Returns what orders kernels as the boot menu does.

    >>> max(["6.1.0-9-amd64", "6.1.0-56-amd64"], key=order)
    '6.1.0-56-amd64'
    """
    return Version(".".join(re.findall(r"\d+", kernel.partition("+")[0])[:6]) or "0")


def flavour(kernel: str) -> str:
    """Returns what the metapackage of a kernel is called after.

    >>> flavour("6.1.0-56-amd64"), flavour("6.12.107+deb13-cloud-amd64"), flavour("6.8.0-90-generic")
    ('amd64', 'cloud-amd64', 'generic')
    """
    return re.sub(r"^\d[^-]*-(\d+-)?", "", kernel)
