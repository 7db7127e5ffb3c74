"""rigforge-doctor as one file, packed by PyInstaller with the distribution's own Python."""

from __future__ import annotations

import shutil

from rigforge import guest
from rigforge.doctor.build import PROGRAM, lay_out
from rigforge.layers import wheels
from rigforge.layers.root import Root

WORK = "/tmp/doctor"


def build(root: Root) -> None:
    """Installs what packs it; the program is left in the layer's root as /rigforge-doctor."""
    root.install_packages()
    environment = root.options["environment"]
    root.chroot(["python3", "-m", "venv", "--without-pip", environment])
    wheels.install(root)
    arguments = lay_out(root.at(WORK))
    packer = [f"{environment}/bin/python", "-m", "PyInstaller", *arguments]
    # A library that is preloaded into the packer would be taken for one of the program's.
    clean = ["env", f"--chdir={WORK}", "--unset=LD_PRELOAD"]
    root.chroot([*clean, *packer], PYINSTALLER_CONFIG_DIR=f"{WORK}/cache")
    shutil.copy(guest.regular(root.path, f"{WORK}/dist/{PROGRAM}"), root.at(PROGRAM))
    # That it starts, with nothing but the base around it.
    root.chroot([f"/{PROGRAM}", "--help"])
