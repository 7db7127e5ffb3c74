"""Inventory of a machine: cards, driver, CUDA, PyTorch. It is only looked at, nothing is changed or loaded."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from rigforge.compat import pytorch as somebodys
from rigforge.compat.gpu import Gpu, by_pci
from rigforge.compat.pytorch import InstalledPytorch
from rigforge.compat.tables import Module
from rigforge.machine import libraries
from rigforge.rules.pci import is_nvidia_gpu

#: "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build …"
_LOADED = re.compile(
    r"^NVRM version:.*?(?P<open>Open )?Kernel Module.*?\s(?P<version>\d{3}(\.\d+)+)\s", re.MULTILINE | re.ASCII
)


@dataclass(frozen=True)
class Loaded:
    """The kernel module that is loaded."""

    version: str
    module: Module


@dataclass(frozen=True)
class Inventory:
    """The parts of a machine. `unknown` has the PCI ids of NVIDIA's cards that the table has not.

    `user_space` is the version of the driver's libraries: None without any, "" where they do not tell it.
    `interpreter` is the Python that was asked for PyTorch; `cuda` what the driver says of itself, where it was asked.
    `nouveau` has the cards, and no driver of NVIDIA's has one. `driver` says whether one is installed, loaded or not.
    """

    gpus: tuple[Gpu, ...]
    unknown: tuple[str, ...]
    loaded: Loaded | None
    nouveau: bool
    user_space: str | None
    toolkit: str
    pytorch: InstalledPytorch | None
    interpreter: str = ""
    cuda: str = ""
    driver: bool = True


def read(root: Path = Path("/"), interpreter: str = "") -> Inventory:
    """Returns what the machine has whose file system is at `root`; PyTorch is looked for with `interpreter`.

    Without one it is, on the running system, the `python3` of PATH that is not Rigforge's own.
    """
    if not interpreter and root == Path("/"):
        interpreter = somebodys.usual()
    devices = _cards(root / "sys/bus/pci/devices")
    return Inventory(
        gpus=tuple(card for device in devices if (card := by_pci(device))),
        unknown=tuple(f"10de:{device}" for device in devices if not by_pci(device)),
        loaded=loaded(root),
        nouveau=_nouveau(root),
        user_space=user_space(root),
        toolkit=_toolkit(root / "usr/local/cuda/version.json"),
        pytorch=somebodys.read(interpreter),
        interpreter=interpreter,
        driver=has_driver(root),
    )


def _cards(devices: Path) -> list[str]:
    """Returns the device ids of NVIDIA's display controllers, in the order of the bus."""
    cards = []
    for device in sorted(devices.iterdir()) if devices.is_dir() else ():
        vendor, kind, number = (_line(device / name) for name in ("vendor", "class", "device"))
        if is_nvidia_gpu(vendor, kind):
            cards.append(number.removeprefix("0x"))
    return cards


def loaded(root: Path) -> Loaded | None:
    """Returns the kernel module that is loaded."""
    version = root / "proc/driver/nvidia/version"
    match = _LOADED.search(version.read_text(errors="replace")) if version.is_file() else None
    return Loaded(match["version"], "open" if match["open"] else "proprietary") if match else None


def user_space(root: Path) -> str | None:
    """Returns the version of the libcuda that programs get; None without one.

    It is "" where it does not tell it, or is one that need not be the module's.
    """
    library = libraries.find(root)
    if not library:
        return None
    return "" if library.forward else library.version


def has_driver(root: Path) -> bool:
    """Tells whether a driver of NVIDIA's is installed: loaded, there for any kernel, to be built, or as libraries."""
    marks = ("proc/driver/nvidia/version", "var/lib/dkms/nvidia*", "lib/modules/*/updates/**/nvidia*.ko*")
    if libraries.find(root) or any(True for pattern in marks for _ in root.glob(pattern)):
        return True
    return any("/nvidia" in _line(listed) for listed in root.glob("lib/modules/*/modules.dep"))


def _nouveau(root: Path) -> bool:
    """Tells whether nouveau has the cards; one that is loaded beside NVIDIA's driver has none, or another card."""
    if not (root / "sys/module/nouveau").is_dir():
        return False
    cards = [
        device
        for device in sorted((root / "sys/bus/pci/devices").glob("*"))
        if is_nvidia_gpu(_line(device / "vendor"), _line(device / "class"))
    ]
    drivers = {(card / "driver").readlink().name for card in cards if (card / "driver").is_symlink()}
    return drivers == {"nouveau"} or (not drivers and loaded(root) is None)


def _toolkit(version: Path) -> str:
    try:
        return str(json.loads(version.read_text())["cuda"]["version"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _line(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
