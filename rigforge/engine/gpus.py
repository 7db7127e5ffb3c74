"""How the GPUs of this machine reach a container."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rigforge.engine.find import Engine
from rigforge.rules.pci import is_nvidia_gpu

#: NVIDIA's container toolkit behind `--gpus`, a CDI specification, or no GPU in the container.
Access = Literal["toolkit", "cdi", "none"]

#: The name of all GPUs in the specification that `nvidia-ctk cdi generate` writes.
CDI_NAME = "nvidia.com/gpu=all"

#: Where CDI specifications are by default. (/var/run is /run.)
_CDI_DIRECTORIES = ("/etc/cdi", "/run/cdi")

# Looked for as text: a real specification has thousands of lines.
_CDI_KIND = re.compile(r"""\bkind["']?\s*:\s*["']?nvidia\.com/gpu(?![\w.-])""")

_GENERATE = (
    "sudo systemctl restart rigforge-cdi on a machine that Rigforge installed, elsewhere "
    "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml (of NVIDIA's container toolkit)"
)
_INSTALL = (
    "install NVIDIA's container toolkit "
    "(https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html), "
    "then sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
)


@dataclass(frozen=True)
class Hardware:
    """What this machine has for GPUs in containers."""

    #: It has an NVIDIA GPU.
    gpu: bool
    #: NVIDIA's container toolkit is installed.
    toolkit: bool
    #: There is a CDI specification of its NVIDIA GPUs.
    cdi: bool


def look(engine: Engine, root: Path = Path("/")) -> Hardware:
    """Returns what the machine has. `root` stands for / of sysfs and of the directories of CDI."""
    return Hardware(
        gpu=any(map(_is_nvidia_gpu, (root / "sys/bus/pci/devices").glob("*"))),
        # This very program is what Docker looks for, and what makes it know `--gpus`:
        # https://github.com/moby/moby/blob/v28.3.0/daemon/nvidia_linux.go
        toolkit=bool(shutil.which("nvidia-container-runtime-hook")) or "nvidia" in engine.runtimes,
        cdi=any(_has_nvidia(root / name.lstrip("/")) for name in engine.cdi_directories or _CDI_DIRECTORIES),
    )


def choose(engine: Engine, hardware: Hardware) -> tuple[Access, str, str]:
    """Returns how the GPUs reach a container, what keeps them from it, and the cure.

    The last two are empty where nothing does, and where the machine has no NVIDIA GPU.
    """
    if not hardware.gpu:
        return "none", "", ""
    if engine.name == "docker" and hardware.toolkit and engine.version >= (19, 3):
        return "toolkit", "", ""
    if hardware.cdi and engine.cdi_directories:
        return "cdi", "", ""
    return "none", *_missing(engine, hardware)


def _missing(engine: Engine, hardware: Hardware) -> tuple[str, str]:
    if engine.name == "podman":
        if not engine.cdi_directories:
            return f"{engine} does not read CDI specifications", "podman 4.1 and later do"
        return f"no CDI specification of kind nvidia.com/gpu is in {' or '.join(_CDI_DIRECTORIES)}", _GENERATE
    if not hardware.cdi:
        return "NVIDIA's container toolkit is not installed", _INSTALL
    if engine.version >= (25, 0):
        return (
            f"{engine} has CDI switched off",
            'put "features": {"cdi": true} into /etc/docker/daemon.json, then sudo systemctl restart docker',
        )
    return (
        f"NVIDIA's container toolkit is not installed, and {engine} does not read CDI specifications (25 and later do)",
        f"use --engine podman, which reads them, or {_INSTALL}",
    )


def _is_nvidia_gpu(device: Path) -> bool:
    try:
        return is_nvidia_gpu((device / "vendor").read_text(), (device / "class").read_text())
    except OSError:
        return False


def _has_nvidia(directory: Path) -> bool:
    """Says whether a directory has a specification for NVIDIA's GPUs; CDI reads files *.json and *.yaml."""
    return any(_is_nvidia(file) for file in (*directory.glob("*.json"), *directory.glob("*.yaml")))


def _is_nvidia(specification: Path) -> bool:
    try:
        return bool(_CDI_KIND.search(specification.read_text(errors="replace")))
    except OSError:
        return False
