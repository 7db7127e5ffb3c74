"""Cures for a missing library of the driver: by place, by distribution, by how the driver was installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from rigforge.doctor.machine import Machine
from rigforge.machine import libraries
from rigforge.rules.versions import driver_branch

#: For which NVIDIA's container toolkit mounts libcuda and libnvidia-ml.
_CAPABILITIES = "compute,utility"

#: NVIDIA's own installer (the .run file) leaves its counterpart.
_INSTALLER = "usr/bin/nvidia-uninstall"


def cure(machine: Machine, name: str, driver: str) -> str:
    """Returns what brings a library (libcuda.so.1) to a machine whose loaded driver is `driver` ("580.95.05")."""
    if machine.container:
        return f"start it anew with: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES={_CAPABILITIES} …"
    if any(machine.root.glob("usr/lib/wsl/*")):
        return "wsl --update on Windows: its driver brings the library to /usr/lib/wsl/lib"
    if files := libraries.files(machine.root, name=name):
        alternatives = "sudo update-alternatives --auto nvidia && " if "nvidia" in files[0].parent.parts[-2:] else ""
        return f"{alternatives}sudo ldconfig"
    if (machine.root / _INSTALLER).exists():
        return f"sudo sh NVIDIA-Linux-x86_64-{driver}.run --no-kernel-modules, the installer that brought the driver"
    package = _package(machine, name).format(branch=driver_branch(driver), flavour=_flavour(machine))
    return f"{package}, in version {driver} as the loaded module"


def description(machine: Machine, name: str) -> str:
    """Returns what there is of a library that no program gets."""
    if files := libraries.files(machine.root, name=name):
        return f"no {name}: no link leads to /{files[0].relative_to(machine.root)}"
    return f"no {name}{' in this container' if machine.container else ''}"


def _package(machine: Machine, name: str) -> str:
    release = dict(row.partition("=")[::2] for row in machine.text("etc/os-release").splitlines())
    names = [release.get(key, "").strip("\"'").lower() for key in ("ID", "ID_LIKE", "PRETTY_NAME")]
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["package"]
    for words in (re.findall(r"[a-z-]+", text) for text in names):
        for row in table:
            if row["library"] == name and set(row["distributions"]) & set(words):
                return str(row["install"])
    return f"install the driver's package with {name}"


def _flavour(machine: Machine) -> str:
    installed = machine.root.glob("var/lib/dpkg/info/nvidia-*-server*.list")
    return "-server" if any(installed) else ""
