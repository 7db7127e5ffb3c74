"""A machine of an Ubuntu stack, and Ubuntu's archive: kernels, drivers, and Canonical's modules for pairs of them."""

from __future__ import annotations

from tests.doctor.upgrade.box import POSTRM, Box
from tests.sources.signed_archive import SignedArchive

BRANCH = "580-server"
DRIVER, NEXT_DRIVER = "580.95.05", "580.178.04"
_DRIVER = (f"libnvidia-compute-{BRANCH}", f"nvidia-kernel-common-{BRANCH}", f"nvidia-utils-{BRANCH}")


def name(abi: int) -> str:
    return f"6.8.0-{abi}-generic"


def kernel(archive: SignedArchive, suite: str, abi: int) -> None:
    """Adds a kernel and its metapackage, as linux-signed and linux-meta have them."""
    version, of = f"6.8.0-{abi}.{abi + 1}", name(abi)
    files = {f"boot/vmlinuz-{of}": version, "DEBIAN/postinst": f"#!/bin/sh\ndepmod -a {of}\n"}
    files |= {"DEBIAN/postrm": POSTRM.format(kernel=of)}
    archive.add(suite, f"linux-modules-{of}", version, files={f"lib/modules/{of}/kernel/loop.ko": version})
    archive.add(suite, f"linux-image-{of}", version, files=files, Depends=f"linux-modules-{of}")
    archive.add(suite, "linux-image-generic", version, Depends=f"linux-image-{of}, linux-firmware")
    archive.add(suite, "linux-firmware")


def driver(archive: SignedArchive, suite: str, number: str) -> None:
    """Adds the user space of a driver."""
    version, built = f"{number}-0ubuntu0.24.04.1", {"Source": f"nvidia-graphics-drivers-{BRANCH}"}
    for package in _DRIVER:
        files = {f"usr/lib/nvidia/{package}": number}
        archive.add(suite, package, version, component="main" if suite == "old" else "restricted", files=files, **built)


def module(archive: SignedArchive, suite: str, abi: int, number: str, *, build: int = 1, leads: bool = True) -> None:
    """Adds Canonical's module for a kernel and a driver; with `leads` the metapackage leads to it."""
    package, version = f"linux-modules-nvidia-{BRANCH}-open-{name(abi)}", f"6.8.0-{abi}.{abi + 1}+{build}"
    common = f"nvidia-kernel-common-{BRANCH}"
    pair = f"{common} (<= {number}-1), {common} (>= {number})"
    component = "main" if suite == "old" else "restricted"
    files = {
        f"lib/modules/{name(abi)}/kernel/nvidia-{BRANCH}/nvidia.ko": f"vermagic={name(abi)} SMP\nversion={number}\n",
        "DEBIAN/postinst": f"#!/bin/sh\ndepmod -a {name(abi)}\n",
    }
    depends, source = f"linux-image-{name(abi)}, {pair}", {"Source": "linux-restricted-modules"}
    archive.add(suite, package, version, component=component, files=files, Depends=depends, **source)
    if leads:
        meta = f"linux-modules-nvidia-{BRANCH}-open-generic"
        archive.add(suite, meta, version, component=component, Depends=f"{package} (= {version}), {pair}", **source)


def ended(archive: SignedArchive, suite: str, later: str) -> None:
    """Adds user space and leading package of the branch as they are when it has ended: they lead to a later one."""
    version = "580.199.01-0ubuntu1.24.04.1"
    for package in _DRIVER:
        depends = package.replace(BRANCH, later)
        archive.add(suite, package, version, Depends=depends, Source=f"nvidia-graphics-drivers-{BRANCH}")
        archive.add(suite, depends)
    leads = "linux-modules-nvidia-{}-open-generic"
    archive.add(suite, leads.format(BRANCH), "6.8.0-90.91+1", Depends=leads.format(later))


def installed(box: Box) -> None:
    """Installs kernel 88, driver A and Canonical's module, all held."""
    kernel(box.old, "old", 88)
    driver(box.old, "old", DRIVER)
    module(box.old, "old", 88, DRIVER)
    packages = (deb.name.partition("_")[0] for deb in (box.old.path / "pool/old/main").glob("*.deb"))
    box.install(name(88), [each for each in packages if each not in ("tools", "linux-firmware")])
