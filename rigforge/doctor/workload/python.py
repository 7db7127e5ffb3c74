"""The Python that has PyTorch."""

from __future__ import annotations

import shutil

from rigforge.compat import interpreter
from rigforge.doctor.checks.compatibility import PYTHONS
from rigforge.doctor.machine import Machine
from rigforge.errors import RigforgeError

_HAS_PYTORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"


def with_pytorch(machine: Machine, chosen: str = "") -> str:
    """Returns the path of the Python that does the work: `chosen`, or the first in the usual places that has PyTorch.

    Raises RigforgeError where there is none.
    """
    candidates = [chosen] if chosen else _usual(machine)
    for python in candidates:
        path = shutil.which(python, path=machine.path)
        if path and interpreter.ask(path, _HAS_PYTORCH, environment=machine.program_environment) is not None:
            return path
    if chosen:
        raise RigforgeError(
            f"--python: {chosen} does not run, or has no PyTorch", "name the Python of your environment"
        )
    tried = ", ".join(candidates) or "there is no Python at all"
    raise RigforgeError(
        f"no Python with PyTorch was found (tried: {tried})",
        "name one: --python /path/to/environment/bin/python; under sudo, the environment of your shell is not active",
    )


def _usual(machine: Machine) -> list[str]:
    active = machine.environment.get("VIRTUAL_ENV") or machine.environment.get("CONDA_PREFIX")
    patterns = [f"{active}/bin/python3"] if active else []
    patterns += [pattern for pattern in PYTHONS if not pattern.startswith("/usr/bin")]
    paths = [str(path) for pattern in patterns for path in sorted(machine.root.glob(pattern.lstrip("/")))]
    on_path = shutil.which("python3", path=machine.environment.get("PATH", machine.path))
    usual = [*paths, *([on_path] if on_path else []), shutil.which("python3", path=machine.path) or ""]
    return [python for python in dict.fromkeys(usual) if python]
