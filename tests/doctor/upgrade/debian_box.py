"""A machine of a Debian stack: kernel 1, driver A, the module that Rigforge compiled; and Debian's archive."""

from __future__ import annotations

from rigforge.layers.recipes import module
from tests.doctor.upgrade.box import POSTRM, Box
from tests.sources.signed_archive import SignedArchive

KERNEL, KERNEL_VERSION = "6.1.0-50-amd64", "6.1.176-1"
NEXT, NEXT_VERSION = "6.1.0-56-amd64", "6.1.192-2"
DRIVER, NEXT_DRIVER = "535.261.03", "535.309.01"

#: What brings along what the module needs beside itself.
SUPPORT = "nvidia-kernel-support"
_DRIVER = ("libcuda1", "libnvidia-ml1", SUPPORT, "nvidia-smi")


def kernel(archive: SignedArchive, suite: str, name: str, version: str, *, headers: bool = True) -> None:
    """Adds a kernel as linux-signed-amd64 has it, its metapackage and its headers."""
    files = {f"boot/vmlinuz-{name}": version, f"lib/modules/{name}/kernel/loop.ko": version}
    scripts = {"DEBIAN/postrm": POSTRM.format(kernel=name)}
    scripts |= {"DEBIAN/postinst": f"#!/bin/sh\ndepmod -a {name}\n"}
    archive.add(suite, f"linux-image-{name}", version, files=files | scripts, Source="linux-signed-amd64")
    archive.add(suite, "linux-image-amd64", version, Depends=f"linux-image-{name} (= {version})")
    if headers:
        makefile = {f"usr/src/linux-headers-{name}/Makefile": version}
        archive.add(suite, f"linux-headers-{name}", version, files=makefile, Depends="linux-compiler-gcc-12-x86")


def driver(archive: SignedArchive, suite: str, number: str, *, dkms: bool = True) -> None:
    """Adds a driver as nvidia-graphics-drivers has it."""
    version, built = f"{number}-0+deb12u1", {"Source": "nvidia-graphics-drivers"}
    archive.add(suite, "nvidia-alternative", version, **built)
    for name in _DRIVER:
        library = {f"usr/lib/nvidia/{name}": number}
        archive.add(suite, name, version, files=library, Depends=f"nvidia-alternative (= {version})", **built)
    if dkms:
        files = {f"usr/src/nvidia-current-{number}/dkms.conf": f"PACKAGE_VERSION={number}"}
        remove = f'grep -l version={number} "$DPKG_ROOT"/lib/modules/*/updates/dkms/nvidia-current.ko | xargs -r rm'
        files |= {"DEBIAN/prerm": f"#!/bin/sh\n{remove}\n"}
        depends = f"dkms, {SUPPORT} (= {version})"
        archive.add(suite, "nvidia-kernel-dkms", version, files=files, Depends=depends, **built)


def compiler(archive: SignedArchive) -> None:
    """Adds what compiles."""
    archive.add("stable", "linux-compiler-gcc-12-x86", Depends="gcc-12")
    archive.add("stable", "gcc-12", "12.2.0-14")
    archive.add("stable", "dkms", "3.0.10-8+deb12u1", Depends="gcc-12")


def installed(box: Box) -> None:
    """Installs the machine as a layer's recipe does: kernel, driver and our module, all held."""
    kernel(box.old, "old", KERNEL, KERNEL_VERSION, headers=False)
    driver(box.old, "old", DRIVER, dkms=False)
    values = {"kernel": KERNEL, "kernel_package_version": KERNEL_VERSION, "driver": DRIVER, "support": SUPPORT}
    told = module.CONTROL.format(**values)
    fields = {key: value for key, _, value in (line.partition(": ") for line in told.splitlines())}
    name, version = fields.pop("Package"), fields.pop("Version")
    files = {
        f"lib/modules/{KERNEL}/updates/dkms/nvidia-current.ko": f"vermagic={KERNEL} SMP\nversion={DRIVER}\n",
        "DEBIAN/postinst": module.POSTINST.format(kernel=KERNEL),
    }
    box.old.add("old", name, version, files=files, **fields)
    held = ["linux-image-amd64", f"linux-image-{KERNEL}", name, "nvidia-alternative", *_DRIVER]
    box.install(KERNEL, held)
