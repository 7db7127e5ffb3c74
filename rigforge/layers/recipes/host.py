"""What makes a machine of the root: kernel, driver, boot loader, installer's tools, services."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from rigforge import guest
from rigforge.doctor import holds
from rigforge.doctor.build import PROGRAM
from rigforge.layers import own_files
from rigforge.layers.recipes import jupyter, remote
from rigforge.layers.root import Root

NO_NOUVEAU = """\
blacklist nouveau
options nouveau modeset=0
"""

#: How many cards a machine is to have, for the doctor (rigforge.doctor.remembered).
EXPECTED, EXPECT = "etc/rigforge/gpu.conf", "RIGFORGE_GPU_EXPECT"

#: Most machines' locale is made here; it takes minutes on the first boot of an emulated one.
LOCALE = "en_US.UTF-8"

#: The GPU's device file, without which nvidia-persistenced would count as failed.
WITH_GPU = """\
[Unit]
ConditionPathExists=/proc/driver/nvidia/version
"""

#: The driver's packages ask for its module at every boot; without a GPU that is no failure, and the report says so.
MODULES_LOAD = """\
[Service]
SuccessExitStatus=1
"""


def build(root: Root) -> None:
    """Installs the packages, makes one initramfs for all of them, and sets the services."""
    kernel = root.options["kernel"]
    if module := root.products.get("module"):
        shutil.copy(guest.regular(module, "nvidia-modules.deb"), root.files)
        root.write("etc/modprobe.d/rigforge-nouveau.conf", NO_NOUVEAU)
    if doctor := root.products.get("doctor"):
        shutil.copy(guest.regular(doctor, PROGRAM), root.at(f"usr/bin/{PROGRAM}"))
    with _without_initramfs(root):
        root.install_packages()
    root.chroot(["depmod", "-a", kernel])
    root.chroot(["update-initramfs", "-c", "-k", kernel])
    remote.build(root)
    root.write("etc/locale.gen", f"{LOCALE} UTF-8\n")
    root.chroot(["locale-gen"])
    root.write("etc/default/locale", f"LANG={LOCALE}\n")
    # No boot waits for a cable: the unit times out after two minutes where a port is unplugged.
    root.chroot(["systemctl", "mask", "systemd-networkd-wait-online.service"])
    if root.options["driver"]:
        root.write("etc/systemd/system/nvidia-persistenced.service.d/rigforge.conf", WITH_GPU)
        root.write("etc/systemd/system/systemd-modules-load.service.d/rigforge.conf", MODULES_LOAD)
        own_files.add_modules(root, "rigforge.machine.cdi")
        own_files.add_units(root, "machine", "rigforge-cdi.service")
    if root.options["driver"] and doctor:
        own_files.add_units(root, "machine", "rigforge-remember.service")
    if expect := root.options.get("expect"):
        root.write(EXPECTED, f"{EXPECT}={expect}\n")
    if root.exists("usr/lib/systemd/system/docker.socket"):
        own_files.add_units(root, "machine", "rigforge-docker.service")
    jupyter.add(root)
    _hold(root)
    # Not before, for apt cannot read a list whose mirrors the installer has yet to fill in.
    root.write(*root.options["sources_file"])
    for verb in ("enable", "disable"):
        if units := root.options[verb]:
            root.chroot(["systemctl", verb, *units])


@contextmanager
def _without_initramfs(root: Root) -> Iterator[None]:
    """Keeps packages from making an initramfs each; it takes longest of all, and the last one is enough."""
    tool = "/usr/sbin/update-initramfs"
    root.chroot(["dpkg-divert", "--local", "--rename", "--add", tool])
    root.link(tool, "/bin/true")
    try:
        yield
    finally:
        root.remove(tool)
        root.chroot(["dpkg-divert", "--local", "--rename", "--remove", tool])


def _hold(root: Root) -> None:
    """Holds kernel and driver, so that no upgrade parts them; with no driver the kernel stays free."""
    if not root.options["driver"]:
        return
    driver = root.options["driver"]
    versions = {}
    listed = root.chroot(["dpkg-query", "--show", "--showformat", "${Package} ${source:Package} ${Version}\\n"])
    for line in listed.splitlines():
        package, source, version = line.split()
        # The packages of NVIDIA's own archive are built from several sources, all in the driver's version.
        of_driver = source.startswith("nvidia-graphics-drivers") or version.startswith(f"{driver}-")
        if of_driver or package.startswith(("linux-image-", "linux-modules-", "nvidia-modules-")):
            versions[package] = version
    root.write(holds.FILE, holds.pins(versions))
