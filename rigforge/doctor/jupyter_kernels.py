"""The specifications of Jupyter's kernels (kernel.json): where somebody on the machine may have them."""

from __future__ import annotations

from pathlib import Path

from rigforge.doctor.machine import Machine

#: Where Jupyter looks for kernels besides its own environment (Jupyter's documentation, Common Directories).
_COMMON = ("usr/local", "usr", "home/*/.local", "root/.local")
#: Environments that have kernels of their own.
_ENVIRONMENTS = (
    *("opt/*", "opt/*/*", "opt/conda/envs/*"),
    *("home/*/miniconda3", "home/*/miniforge3", "home/*/mambaforge", "home/*/anaconda3"),
    *("home/*/miniconda3/envs/*", "home/*/miniforge3/envs/*", "home/*/mambaforge/envs/*", "home/*/anaconda3/envs/*"),
    *("home/*/.conda/envs/*", "home/*/venv", "home/*/.venv"),
)

#: As many specifications are read at most.
_MOST = 64


def files(machine: Machine, home: str = "") -> tuple[Path, ...]:
    """Returns each specification once; `home` is that of who computes, where it is not among the usual ones."""
    active = [machine.environment.get(name, "").lstrip("/") for name in ("VIRTUAL_ENV", "CONDA_PREFIX")]
    own = [f"{home.strip('/')}/.local"] if home.strip("/") else []
    folders = [f"{place}/share/jupyter/kernels" for place in (*active, *own, *_COMMON, *_ENVIRONMENTS) if place]
    extra = [machine.environment.get("JUPYTER_DATA_DIR", ""), *machine.environment.get("JUPYTER_PATH", "").split(":")]
    folders += [f"{place.lstrip('/')}/kernels" for place in extra if place]
    specifications = (file for folder in folders for file in sorted(machine.root.glob(f"{folder}/*/kernel.json")))
    return tuple(dict.fromkeys(specifications))[:_MOST]
