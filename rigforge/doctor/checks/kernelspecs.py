"""The kernels that Jupyter offers: each has a Python of its own, whose PyTorch may be another than the machine's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rigforge.doctor import excerpt
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.compatibility import python as machines_own
from rigforge.doctor.machine import Machine

KERNELS = Topic("jupyter-kernels", "A notebook runs in its kernel's Python, whatever the machine's own has.")

#: Where Jupyter looks for kernels besides its own environment (Jupyter's documentation, Common Directories).
_COMMON = ("usr/local", "usr", "home/*/.local", "root/.local")
#: Environments that have kernels of their own.
_ENVIRONMENTS = (
    *("opt/rigforge/python", "opt/conda", "opt/conda/envs/*", "opt/jupyterhub"),
    *("home/*/miniconda3", "home/*/miniforge3", "home/*/mambaforge", "home/*/anaconda3"),
    *("home/*/miniconda3/envs/*", "home/*/miniforge3/envs/*", "home/*/mambaforge/envs/*", "home/*/anaconda3/envs/*"),
    *("home/*/.conda/envs/*", "home/*/venv", "home/*/.venv"),
)

#: As many specifications are read, and as many Pythons are asked, side by side.
_MOST, _PYTHONS = 64, 8
_LINKS = 16

#: Only what is called so is asked: any other program would do something else.
_PYTHON = re.compile(r"python(\d(\.\d{1,2})?)?", re.ASCII)

#: Values of CUDA_VISIBLE_DEVICES by which a program sees no GPU (CUDA C++ Programming Guide, environment variables:
#: what comes after an index that there is not does not count).
_NONE = ("", "-1", "NoDevFiles")


@dataclass(frozen=True)
class Kernel:
    """A kernel of Python: its name, its specification, the interpreter as a path of the machine, its environment."""

    name: str
    file: str
    python: str
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return f"kernel {self.name} ({self.file})"


def checks(machine: Machine) -> Iterator[Check]:
    yield KERNELS.of(lambda: _kernels(machine))


def kernels(machine: Machine) -> tuple[Kernel, ...]:
    """Returns the kernels of Python that Jupyter offers to somebody on the machine, each specification once."""
    active = [machine.environment.get(name, "").lstrip("/") for name in ("VIRTUAL_ENV", "CONDA_PREFIX")]
    prefixes = [place for place in (*active, *_COMMON, *_ENVIRONMENTS) if place]
    folders = [f"{place}/share/jupyter/kernels" for place in prefixes]
    extra = [machine.environment.get("JUPYTER_DATA_DIR", ""), *machine.environment.get("JUPYTER_PATH", "").split(":")]
    folders += [f"{place.lstrip('/')}/kernels" for place in extra if place]
    files = dict.fromkeys(file for folder in folders for file in sorted(machine.root.glob(f"{folder}/*/kernel.json")))
    found = (_kernel(machine, file) for file in list(files)[:_MOST])
    return tuple(kernel for kernel in found if kernel)


def _kernels(machine: Machine) -> Check:
    if not machine.cards and not machine.nvml.gpus:
        return KERNELS.not_applicable("no NVIDIA GPU")
    there = kernels(machine)
    if not there:
        return KERNELS.not_applicable("Jupyter has no kernel of Python here")
    builds = _asked(machine, there)
    troubles = [trouble for kernel in there if (trouble := _trouble(machine, kernel, builds.get(kernel.python)))]
    return KERNELS.worst(troubles, ", ".join(dict.fromkeys(kernel.name for kernel in there)))


def _trouble(machine: Machine, kernel: Kernel, pytorch: tuple[str, str] | None) -> Check | None:
    state = _state(machine, kernel.python)
    if state in ("is not there", "cannot be run"):
        return KERNELS.warning(
            f"{kernel.shown}: its Python {kernel.python} {state}: no notebook starts in it",
            f"rm -r {Path(kernel.file).parent}, or make the environment again",
        )
    hidden = kernel.environment.get("CUDA_VISIBLE_DEVICES")
    if isinstance(hidden, str) and hidden.strip() in _NONE:
        return KERNELS.warning(
            f'{kernel.shown} hides all GPUs: CUDA_VISIBLE_DEVICES is "{hidden}" in its env',
            f"take CUDA_VISIBLE_DEVICES out of {kernel.file}",
        )
    # What the Python that counts for the machine has is told by the check of the versions.
    if pytorch and not pytorch[1] and str(machine.root / kernel.python.lstrip("/")) != machines_own(machine):
        return KERNELS.warning(
            f"{kernel.shown} is of {kernel.python}, whose PyTorch {pytorch[0]} is without CUDA",
            f"{kernel.python} -m pip install --force-reinstall torch, or choose another kernel",
        )
    return None


def _asked(machine: Machine, there: tuple[Kernel, ...]) -> dict[str, tuple[str, str] | None]:
    """Returns version and CUDA ("" for none) of the PyTorch that each Python has; None for no PyTorch."""
    pythons = [python for python in dict.fromkeys(kernel.python for kernel in there) if not _state(machine, python)]
    with ThreadPoolExecutor(_PYTHONS) as pool:
        return dict(zip(pythons, pool.map(lambda python: _pytorch(machine, python), pythons[:_PYTHONS]), strict=False))


def _pytorch(machine: Machine, python: str) -> tuple[str, str] | None:
    # Here, because pydantic takes longest of all to start, and --help needs none of it.
    from rigforge.compat import machine as installed
    from rigforge.errors import RigforgeError

    try:
        found = installed.read(machine.root, str(machine.root / python.lstrip("/"))).pytorch
    except RigforgeError:
        return None
    return (found.version, found.cuda) if found else None


def _kernel(machine: Machine, file: Path) -> Kernel | None:
    try:
        told = json.loads(excerpt.of(machine.root, str(file.relative_to(machine.root))))
        command, language, environment = _command(told["argv"]), told.get("language", ""), told.get("env") or {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not command or str(language).lower() != "python":
        return None
    place = file.relative_to(machine.root)
    python = _python(machine, place, command)
    if not python:
        return None
    return Kernel(place.parent.name, f"/{place}", python, environment if isinstance(environment, dict) else {})


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
