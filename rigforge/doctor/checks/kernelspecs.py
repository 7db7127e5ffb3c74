"""The kernels that Jupyter offers: each has a Python of its own, whose PyTorch may be another than the machine's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.doctor import excerpt, jupyter_kernels
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.compatibility import python as machines_own
from rigforge.doctor.machine import Machine

KERNELS = Topic("jupyter-kernels", "A notebook runs in its kernel's Python, whatever the machine's own has.")

#: As many Pythons are asked, side by side.
_PYTHONS = 8
_LINKS = 16

#: Only what is called so is asked: any other program would do something else.
_PYTHON = re.compile(r"python(\d(\.\d{1,2})?)?", re.ASCII)


@dataclass(frozen=True)
class JupyterKernel:
    """A kernel of Python: its name, its specification, and the interpreter as a path of the machine."""

    name: str
    file: str
    python: str

    @property
    def shown(self) -> str:
        return f"kernel {self.name} ({self.file})"


def checks(machine: Machine) -> Iterator[Check]:
    yield KERNELS.of(lambda: _kernels(machine))


def kernels(machine: Machine) -> tuple[JupyterKernel, ...]:
    """Returns the kernels of Python that Jupyter offers to somebody on the machine, each specification once."""
    specifications = (_kernel(machine, file) for file in jupyter_kernels.files(machine))
    return tuple(kernel for kernel in specifications if kernel)


def _kernels(machine: Machine) -> Check:
    if not machine.cards and not machine.nvml.gpus:
        return KERNELS.not_applicable("no NVIDIA GPU")
    offers = kernels(machine)
    if not offers:
        return KERNELS.not_applicable("Jupyter has no kernel of Python here")
    builds = _builds(machine, offers)
    troubles = [trouble for kernel in offers if (trouble := _trouble(machine, kernel, builds.get(kernel.python)))]
    return KERNELS.worst(troubles, ", ".join(dict.fromkeys(kernel.name for kernel in offers)))


def _trouble(machine: Machine, kernel: JupyterKernel, pytorch: tuple[str, str] | None) -> Check | None:
    state = _state(machine, kernel.python)
    if state in ("is not there", "cannot be run"):
        return KERNELS.warning(
            f"{kernel.shown}: its Python {kernel.python} {state}: no notebook starts in it",
            f"rm -r {Path(kernel.file).parent}, or make the environment again",
        )
    # What the Python that counts for the machine has is told by the check of the versions.
    if pytorch and not pytorch[1] and str(machine.root / kernel.python.lstrip("/")) != machines_own(machine):
        return KERNELS.warning(
            f"{kernel.shown} is of {kernel.python}, whose PyTorch {pytorch[0]} is without CUDA",
            f"{kernel.python} -m pip install --force-reinstall torch, or choose another kernel",
        )
    return None


def _builds(machine: Machine, offers: tuple[JupyterKernel, ...]) -> dict[str, tuple[str, str] | None]:
    """Returns version and CUDA ("" for none) of the PyTorch that each Python has; None for no PyTorch."""
    pythons = [python for python in dict.fromkeys(kernel.python for kernel in offers) if not _state(machine, python)]
    with ThreadPoolExecutor(_PYTHONS) as pool:
        return dict(zip(pythons, pool.map(lambda python: _pytorch(machine, python), pythons[:_PYTHONS]), strict=False))


def _pytorch(machine: Machine, python: str) -> tuple[str, str] | None:
    # Here, because pydantic takes longest of all to start, and --help needs none of it.
    from rigforge.compat import inventory
    from rigforge.errors import RigforgeError

    try:
        pytorch = inventory.read(machine.root, str(machine.root / python.lstrip("/"))).pytorch
    except RigforgeError:
        return None
    return (pytorch.version, pytorch.cuda) if pytorch else None


def _kernel(machine: Machine, file: Path) -> JupyterKernel | None:
    try:
        specification = json.loads(excerpt.of(machine.root, str(file.relative_to(machine.root))))
        command, language = _command(specification["argv"]), specification.get("language", "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not command or str(language).lower() != "python":
        return None
    place = file.relative_to(machine.root)
    python = _python(machine, place, command)
    return JupyterKernel(place.parent.name, f"/{place}", python) if python else None


def _command(words: list[Any]) -> str:
    """Returns the Python that a kernel is started with; "" where another program starts it (conda, docker, ssh)."""
    texts = [word for word in words if isinstance(word, str)]
    if texts and Path(texts[0]).name == "env":
        texts = [word for word in texts[1:] if "=" not in word and not word.startswith("-")]
    return texts[0] if texts and _PYTHON.fullmatch(Path(texts[0]).name) else ""


def _python(machine: Machine, specification: Path, command: str) -> str:
    """Returns the path of a kernel's interpreter; "" for a bare name that whoever starts Jupyter decides about."""
    if command.startswith("/"):
        return command
    if len(specification.parents) < 6:
        return ""
    own = specification.parents[4] / "bin" / command
    return f"/{own}" if "/" not in command and (machine.root / own).exists() else ""


def _state(machine: Machine, python: str) -> str:
    """Says what is wrong with a Python: "is not there", "cannot be run", "unknown" where it may not be looked at."""
    file = machine.root / python.lstrip("/")
    try:
        # A link's target counts from the root that is looked at.
        for _ in range(_LINKS):
            if not file.is_symlink():
                break
            target = file.readlink()
            file = machine.root / str(target).lstrip("/") if target.is_absolute() else file.parent / target
        file.stat()
    except FileNotFoundError:
        return "is not there"
    except (OSError, ValueError):
        return "unknown"
    return "" if os.access(file, os.X_OK) else "cannot be run"
