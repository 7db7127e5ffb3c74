"""What makes a machine of the root: kernel, driver, boot loader, installer's tools, services."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from rigforge import guest
from rigforge.layers import dpkg, own_files
from rigforge.layers.recipes import jupyter, remote
from rigforge.layers.root import Root
from rigforge.machine import pins

CDI = "rigforge.machine.cdi"

#: What the units start, and what else of the package stays on the machine.
PROGRAMS = (CDI, jupyter.PROGRAM, *remote.PROGRAMS)
DATA = ("machine/firewall.nft", "machine/rigforge-python", "machine/units/*", "machine/user_units/*")

NO_NOUVEAU = """\
blacklist nouveau
options nouveau modeset=0
"""

#: How many cards a machine is to have, for the doctor (rigforge.doctor.card_inventory).
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


@dataclass(frozen=True)
class Options:
    """What a machine is made of; empty or 0 where it has none of it.

    `kernel` as `uname -r` has it, `driver` NVIDIA's version, `expect` how many cards the machine is to have, `doctor`
    the path of the program of the layer `doctor`.
    `jupyter_environment` is the prefix that has JupyterLab, `jupyter_kernel` what its notebooks' kernel is called.
    `sources_file` and `sources` are apt's list and what it says; `enable` and `disable` are units.
    """

    kernel: str
    driver: str
    sources_file: str
    sources: str
    jupyter_environment: str
    jupyter_kernel: str
    enable: Sequence[str]
    disable: Sequence[str]
    expect: int = 0
    doctor: str = ""


def build(root: Root, options: Options) -> None:
    """Installs the packages, makes one initramfs for all of them, and sets the services."""
    if module := root.products.get("module"):
        shutil.copy(guest.regular(module, "nvidia-modules.deb"), root.files)
        root.write("etc/modprobe.d/rigforge-nouveau.conf", NO_NOUVEAU)
    if doctor := options.doctor:
        shutil.copy(guest.regular(root.products["doctor"], PurePath(doctor).name), root.at(doctor))
    # An initramfs for each package takes longest of all, and the last one is enough.
    with dpkg.diverted(root, "/usr/sbin/update-initramfs"):
        dpkg.install(root)
    root.chroot(["depmod", "-a", options.kernel])
    root.chroot(["update-initramfs", "-c", "-k", options.kernel])
    remote.build(root)
    root.write("etc/locale.gen", f"{LOCALE} UTF-8\n")
    root.chroot(["locale-gen"])
    root.write("etc/default/locale", f"LANG={LOCALE}\n")
    # No boot waits for a cable: the unit times out after two minutes where a port is unplugged.
    root.chroot(["systemctl", "mask", "systemd-networkd-wait-online.service"])
    if options.driver:
        root.write("etc/systemd/system/nvidia-persistenced.service.d/rigforge.conf", WITH_GPU)
        root.write("etc/systemd/system/systemd-modules-load.service.d/rigforge.conf", MODULES_LOAD)
        own_files.add_modules(root, CDI)
        own_files.add_units(root, "machine", "rigforge-cdi.service")
    if options.driver and doctor:
        own_files.add_units(root, "machine", "rigforge-remember.service")
    if options.expect:
        root.write(EXPECTED, f"{EXPECT}={options.expect}\n")
    if root.exists("usr/lib/systemd/system/docker.socket"):
        own_files.add_units(root, "machine", "rigforge-docker.service")
    jupyter.add(root, options.jupyter_environment, options.jupyter_kernel)
    if options.driver:
        _hold(root, options.driver)
    # Not before, for apt cannot read a list whose mirrors the installer has yet to fill in.
    root.write(options.sources_file, options.sources)
    for verb, units in (("enable", options.enable), ("disable", options.disable)):
        if units:
            root.chroot(["systemctl", verb, *units])


def _hold(root: Root, driver: str) -> None:
    """Holds kernel and driver, so that no upgrade parts them; with no driver the kernel stays free."""
    versions = {}
    for package in dpkg.installed(root):
        # The packages of NVIDIA's own archive are built from several sources, all in the driver's version.
        of_driver = package.source.startswith("nvidia-graphics-drivers") or package.version.startswith(f"{driver}-")
        if of_driver or package.name.startswith(("linux-image-", "linux-modules-", "nvidia-modules-")):
            versions[package.name] = package.version
    root.write(pins.FILE, pins.text(versions))
