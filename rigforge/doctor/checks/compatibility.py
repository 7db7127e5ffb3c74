"""Cards, driver, CUDA, cuDNN and PyTorch against each other, by the tables that stacks are resolved with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from rigforge.doctor import nvml
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Card, Machine
from rigforge.machine import libraries

if TYPE_CHECKING:
    from rigforge.compat.gpu import Gpu as Known
    from rigforge.compat.inventory import Inventory

PAIRS = Topic(
    "compatibility", "A driver too old for CUDA, or PyTorch without code for the GPU, fails only in the middle of work."
)
SHADOWED = Topic(
    "library-path", "A libcuda or cuDNN found before the right one breaks PyTorch in ways that look like bugs."
)

#: Where Rigforge and conda put the environment, and what a login has otherwise.
PYTHONS = (
    "/opt/rigforge/python/bin/python3",
    "/opt/conda/envs/*/bin/python3",
    "/opt/conda/bin/python3",
    "/usr/bin/python3",
)

#: Libraries of which a second one is found before the right one.
_SHADOWING = ("libcuda.so*", "libcudart.so*", "libcudnn*.so*", "libnvidia-ml.so*", "libnccl.so*", "libcublas.so*")


def checks(machine: Machine) -> Iterator[Check]:
    yield PAIRS.of(lambda: _pairs(machine))
    yield SHADOWED.of(lambda: _shadowed(machine))


def _pairs(machine: Machine) -> Check:
    # Here, because pydantic takes longest of all to start, and --help needs none of it.
    from rigforge.compat import inventory
    from rigforge.compat.diagnosis import diagnose

    parts = told_by_driver(inventory.read(machine.root, python(machine)), machine)
    if not parts.gpus and not parts.unknown and not parts.loaded:
        versions = f"; PyTorch {parts.pytorch.version}" if parts.pytorch else ""
        return PAIRS.not_applicable(f"no NVIDIA GPU on the bus and no driver{versions}")
    findings = diagnose(parts, bus=not without_bus(machine))
    troubles = [
        Check(PAIRS.id, finding.status, finding.message, PAIRS.why, finding.cure, finding.follows)
        for finding in findings
        if finding.status != "ok"
    ]
    return PAIRS.worst(troubles, "; ".join(finding.message for finding in findings))


def without_bus(machine: Machine) -> bool:
    """Tells whether the driver has GPUs though no bus shows one, as under WSL."""
    return not machine.cards and bool(machine.nvml.gpus)


def told_by_driver(parts: Inventory, machine: Machine) -> Inventory:
    """Adds what the driver says of itself, of cards that the tables have not, and of those that no bus shows."""
    from rigforge.compat.gpu import by_pci
    from rigforge.compat.inventory import Loaded
    from rigforge.compat.tables import tables

    driver, cuda = machine.nvml.driver, machine.nvml.cuda
    if without_bus(machine) and re.fullmatch(r"\d{3}(\.\d{1,4})+", driver, re.ASCII):
        gpus = tuple(filter(None, map(_by_name, machine.nvml.gpus)))
        old = any(gpu.capability < tables().modules.open_from for gpu in gpus)
        loaded = Loaded(driver, "proprietary" if old else "open")
        return replace(parts, gpus=gpus, loaded=loaded, user_space=driver, cuda=cuda)
    by_address = {gpu.address: card for gpu in machine.nvml.gpus if (card := _by_name(gpu))}
    unknown = {card.address: device for card in machine.cards if not by_pci(device := _device(card))}
    return replace(
        parts,
        gpus=(*parts.gpus, *(by_address[address] for address in unknown if address in by_address)),
        unknown=tuple(f"10de:{device}" for address, device in unknown.items() if address not in by_address),
        cuda=cuda,
    )


def _device(card: Card) -> str:
    return card.text("device").removeprefix("0x")


def _by_name(gpu: nvml.NvmlGpu) -> Known | None:
    """Returns a card as the driver tells of it; None where it tells neither its compute capability nor a known name."""
    from rigforge.compat.gpu import Gpu, find
    from rigforge.errors import RigforgeError

    if re.fullmatch(r"\d{1,2}\.\d", gpu.capability, re.ASCII):
        return Gpu(gpu.name, gpu.capability)
    try:
        return find(gpu.name)
    except RigforgeError:
        return None


def python(machine: Machine) -> str:
    """Returns the Python whose PyTorch counts: the active environment's, Rigforge's, conda's, the system's."""
    active = machine.environment.get("VIRTUAL_ENV") or machine.environment.get("CONDA_PREFIX")
    patterns = (*([f"{active}/bin/python3"] if active else []), *PYTHONS)
    paths = (path for pattern in patterns for path in sorted(machine.root.glob(pattern.lstrip("/"))))
    return str(next(paths, ""))


def _are_the_drivers(machine: Machine, folder: str, names: list[str]) -> bool:
    """Tells whether all that a folder has are the driver's libraries, which programs get without it as well.

    So it is in containers of Kubernetes (/usr/local/nvidia/lib64) and in WSL.
    """
    for name in names:
        soname = {"libcuda": libraries.CUDA, "libnvidia-ml": libraries.MANAGEMENT}.get(name, "")
        theirs = soname and libraries.find(machine.root, soname, before=[folder])
        own = soname and libraries.find(machine.root, soname)
        if not theirs or not own or theirs.folder != f"/{folder.strip('/')}" or theirs.version != own.version:
            return False
    return True


def _shadowed(machine: Machine) -> Check:
    folders = [folder for folder in machine.environment.get("LD_LIBRARY_PATH", "").split(":") if folder]
    if not folders:
        return SHADOWED.ok("LD_LIBRARY_PATH is not set")
    names = {
        folder: sorted(
            {
                file.name.partition(".so")[0]
                for pattern in _SHADOWING
                for file in (machine.root / folder.lstrip("/")).glob(pattern)
            }
        )
        for folder in folders
    }
    stubs = [folder for folder in folders if folder.rstrip("/").endswith("stubs") and names[folder]]
    if stubs:
        return SHADOWED.failed(
            f"LD_LIBRARY_PATH has {stubs[0]}: stubs are for linking, and answer every call with an error",
            "unset LD_LIBRARY_PATH, and take the line out of ~/.bashrc",
        )
    if shadows := {
        folder: libraries
        for folder, libraries in names.items()
        if libraries and not _are_the_drivers(machine, folder, libraries)
    }:
        words = "; ".join(f"{folder} has {', '.join(libraries)}" for folder, libraries in shadows.items())
        return SHADOWED.warning(f"LD_LIBRARY_PATH: {words}", "unset LD_LIBRARY_PATH; PyTorch brings its own libraries")
    return SHADOWED.ok(f"LD_LIBRARY_PATH={':'.join(folders)} has no library of NVIDIA's")
