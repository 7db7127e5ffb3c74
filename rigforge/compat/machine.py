"""What a machine has: cards, driver, CUDA, PyTorch. It is only looked at, nothing is changed or loaded."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rigforge.compat import interpreter as somebodys
from rigforge.compat.gpu import Gpu, by_pci
from rigforge.compat.tables import Module
from rigforge.errors import RigforgeError
from rigforge.plain import line

_NVIDIA, _DISPLAY = "0x10de", "0x03"
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib", "usr/lib/wsl/lib")
#: "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build …"
_LOADED = re.compile(
    r"^NVRM version:.*?(?P<open>Open )?Kernel Module.*?\s(?P<version>\d{3}(\.\d+)+)\s", re.MULTILINE | re.ASCII
)

#: Finds PyTorch without importing it: that would load the libraries that may be what is wrong.
_PYTORCH = r"""
import importlib.metadata as metadata, json, re, sys
found, cuda = {}, ""
for distribution in metadata.distributions():
    name = (distribution.metadata["Name"] or "").lower()
    if name == "torch" or name.startswith(("nvidia-cuda-runtime", "nvidia-cudnn")):
        found.setdefault(name, distribution.version)
    if name == "torch":
        with open(distribution.locate_file("torch/version.py")) as file:
            made_with = re.search(r"^cuda\b.*= '([0-9.]+)'", file.read(), re.M)
        cuda = made_with.group(1) if made_with else ""
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "packages": found, "cuda": cuda}))
"""


@dataclass(frozen=True)
class Loaded:
    """The kernel module that is loaded."""

    version: str
    module: Module


@dataclass(frozen=True)
class Pytorch:
    """PyTorch in some Python's environment. `cuda` is "" for a build without, `cudnn` where no wheel has it."""

    interpreter: str
    python: str
    version: str
    cuda: str
    cudnn: str


@dataclass(frozen=True)
class Machine:
    """What was found. `unknown` has the PCI ids of NVIDIA's cards that the table has not.

    `nouveau` has the cards, and no driver of NVIDIA's has one. `driver` says whether one is installed, loaded or not.
    """

    gpus: tuple[Gpu, ...]
    unknown: tuple[str, ...]
    loaded: Loaded | None
    nouveau: bool
    user_space: str
    toolkit: str
    pytorch: Pytorch | None
    driver: bool = True


def read(root: Path = Path("/"), interpreter: str = "") -> Machine:
    """Returns what the machine has whose file system is at `root`; PyTorch is looked for with `interpreter`.

    Without one it is the `python3` of PATH that is not Rigforge's own.
    """
    devices = _cards(root / "sys/bus/pci/devices")
    return Machine(
        gpus=tuple(card for device in devices if (card := by_pci(device))),
        unknown=tuple(f"10de:{device}" for device in devices if not by_pci(device)),
        loaded=loaded(root),
        nouveau=_nouveau(root),
        user_space=user_space(root),
        toolkit=_toolkit(root / "usr/local/cuda/version.json"),
        pytorch=_pytorch(interpreter or _other_python()),
        driver=has_driver(root),
    )


def _cards(devices: Path) -> list[str]:
    """Returns the device ids of NVIDIA's display controllers, in the order of the bus."""
    found = []
    for device in sorted(devices.iterdir()) if devices.is_dir() else ():
        vendor, kind, number = (_line(device / name) for name in ("vendor", "class", "device"))
        if vendor == _NVIDIA and kind.startswith(_DISPLAY):
            found.append(number.removeprefix("0x"))
    return found


def loaded(root: Path) -> Loaded | None:
    """Returns the kernel module that is loaded."""
    version = root / "proc/driver/nvidia/version"
    found = _LOADED.search(version.read_text(errors="replace")) if version.is_file() else None
    return Loaded(found["version"], "open" if found["open"] else "proprietary") if found else None


def user_space(root: Path) -> str:
    """Returns the version of the driver's libcuda, as its file's name has it; "" without one."""
    for folder in _LIBRARIES:
        link = root / folder / "libcuda.so.1"
        for file in sorted((root / folder).glob("libcuda.so.*.*")) if link.exists() else ():
            if file.samefile(link):
                return file.name.removeprefix("libcuda.so.")
    return ""


def has_driver(root: Path) -> bool:
    """Tells whether a driver of NVIDIA's is installed: loaded, there for any kernel, to be built, or as libraries."""
    marks = ("proc/driver/nvidia/version", "var/lib/dkms/nvidia*", "lib/modules/*/updates/**/nvidia*.ko*")
    libraries = ("usr/lib/libcuda.so.1", "usr/lib64/libcuda.so.1", "usr/lib/*-linux-gnu/libcuda.so.1")
    if any(True for pattern in (*marks, *libraries) for _ in root.glob(pattern)):
        return True
    return any("/nvidia" in _line(listed) for listed in root.glob("lib/modules/*/modules.dep"))


def _nouveau(root: Path) -> bool:
    """Tells whether nouveau has the cards; one that is loaded beside NVIDIA's driver has none, or another card."""
    if not (root / "sys/module/nouveau").is_dir():
        return False
    cards = [
        device
        for device in sorted((root / "sys/bus/pci/devices").glob("*"))
        if _line(device / "vendor") == _NVIDIA and _line(device / "class").startswith(_DISPLAY)
    ]
    drivers = {(card / "driver").readlink().name for card in cards if (card / "driver").is_symlink()}
    return drivers == {"nouveau"} or (not drivers and loaded(root) is None)


def _toolkit(version: Path) -> str:
    try:
        return str(json.loads(version.read_text())["cuda"]["version"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _pytorch(interpreter: str) -> Pytorch | None:
    if not interpreter:
        return None
    found_at = shutil.which(interpreter)
    if not found_at:
        raise RigforgeError(f"there is no Python {interpreter}", "name the one that PyTorch is installed for")
    told = somebodys.ask(found_at, _PYTORCH, environment=somebodys.for_programs())
    try:
        # Whoever owns that Python says what it answers.
        found = json.loads(told or "{}")
        packages = {line(str(name)): line(str(version)) for name, version in found["packages"].items()}
        python, built_with = line(str(found["python"])), line(str(found["cuda"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if "torch" not in packages:
        return None
    cuda, cudnn = (_starting(packages, name) for name in ("nvidia-cuda-runtime", "nvidia-cudnn"))
    made_with = (cuda or built_with) if built_with else ""
    return Pytorch(interpreter, python, packages["torch"], made_with, cudnn)


def _starting(packages: dict[str, str], name: str) -> str:
    return next((version for package, version in packages.items() if package.startswith(name)), "")


def _other_python() -> str:
    """Returns the first Python of PATH that is not of Rigforge's environment."""
    own = Path(sys.prefix) / "bin"
    for name in ("python3", "python"):
        found = shutil.which(name)
        if found and Path(found).parent != own:
            return found
    return next((str(path) for path in (Path("/usr/bin/python3"),) if path.exists()), "")


def _line(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
