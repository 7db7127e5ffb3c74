"""rigforge-doctor as one file, packed by PyInstaller with the distribution's own Python."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from rigforge import guest
from rigforge.doctor import build as packing
from rigforge.doctor.build import PROGRAM
from rigforge.layers import dpkg, wheels
from rigforge.layers.root import Root

WORK = "/tmp/doctor"


#: What it packs, and what that reads.
PROGRAMS, DATA = packing.MODULES, packing.DATA

#: The environment that packs it, in this layer alone.
ENVIRONMENT = "/opt/doctor"


@dataclass(frozen=True)
class Options:
    """`site_packages` is where the interpreter of `ENVIRONMENT` keeps its packages."""

    site_packages: str


def build(root: Root, options: Options) -> None:
    """Installs what packs it; the program is left in the layer's root as /rigforge-doctor."""
    dpkg.install(root)
    root.chroot(["python3", "-m", "venv", "--without-pip", ENVIRONMENT])
    wheels.install(root, ENVIRONMENT, options.site_packages)
    arguments = packing.lay_out(root.at(WORK))
    packer = [f"{ENVIRONMENT}/bin/python", "-m", "PyInstaller", *arguments]
    # A library that is preloaded into the packer would be taken for one of the program's.
    clean = ["env", f"--chdir={WORK}", "--unset=LD_PRELOAD"]
    root.chroot([*clean, *packer], PYINSTALLER_CONFIG_DIR=f"{WORK}/cache")
    shutil.copy(guest.regular(root.path, f"{WORK}/dist/{PROGRAM}"), root.at(PROGRAM))
    # That it starts, with nothing but the base around it.
    root.chroot([f"/{PROGRAM}", "--help"])
