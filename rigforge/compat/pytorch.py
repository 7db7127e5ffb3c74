"""PyTorch as it is installed for some Python: version, CUDA, cuDNN, and the cards that its own binary has code for."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.compat import interpreter as somebodys
from rigforge.compat.gpu_code import Target, targets
from rigforge.errors import RigforgeError
from rigforge.plain import line
from rigforge.rules.versions import series

#: Seconds for a Python to say what it has.
PATIENCE = 5.0
#: As many packages and targets of an answer are read.
MOST = 100

#: What an answer may lack.
_OPTIONAL = ("code_in", "platform", "installer")

#: Handed over as text, as that Python may be of another version and runs as another user.
_PROBE = Path(__file__).with_name("probe.py").read_text()


@dataclass(frozen=True)
class InstalledPytorch:
    """PyTorch in some Python's environment. `cuda` is "" for a build without, `cudnn` where no wheel has it.

    `code` is what its GPU code is for, as the file `code_in` says; nothing where it could not be read. `platform` is
    what a build without CUDA is made for ("hip 6.2"), `installer` who brought it ("pip", "conda").
    """

    interpreter: str
    python: str
    version: str
    cuda: str
    cudnn: str
    code: tuple[Target, ...] = ()
    code_in: str = ""
    platform: str = ""
    installer: str = ""


def read(interpreter: str) -> InstalledPytorch | None:
    """Returns the PyTorch that a Python has; None for none.

    Raises RigforgeError where there is no such Python.
    """
    if not interpreter:
        return None
    found_at = shutil.which(interpreter)
    if not found_at:
        raise RigforgeError(f"there is no Python {interpreter}", "name the one that PyTorch is installed for")
    answer = somebodys.ask(found_at, _PROBE, environment=somebodys.for_programs(), seconds=PATIENCE)
    try:
        # Whoever owns that Python says what it answers.
        return _pytorch(found_at, json.loads(answer or "{}"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _pytorch(interpreter: str, answer: dict[str, Any]) -> InstalledPytorch | None:
    packages = {line(str(name)): line(str(version)) for name, version in list(answer["packages"].items())[:MOST]}
    words = {name: line(str(answer.get(name, ""))) for name in ("python", "cuda", "version", *_OPTIONAL)}
    version = packages.get("torch") or words["version"]
    if not version:
        return None
    code = answer.get("code", [])
    return InstalledPytorch(
        interpreter,
        words["python"],
        version,
        cuda=_runtime(packages, words["cuda"]),
        cudnn=_of_cuda(packages, "nvidia-cudnn", words["cuda"]),
        code=targets(map(str, code[:MOST])) if isinstance(code, list) else (),
        **{name: words[name] for name in _OPTIONAL},
    )


def _runtime(packages: dict[str, str], made_with: str) -> str:
    """Returns the exact version of the CUDA that PyTorch is made with, where its wheel is there too."""
    minor = series(made_with)
    versions = [version for name, version in packages.items() if name.startswith("nvidia-cuda-runtime")]
    return next((version for version in versions if minor and f"{version}.".startswith(f"{minor}.")), made_with)


def _of_cuda(packages: dict[str, str], name: str, cuda: str) -> str:
    """Returns the version of the package for this CUDA; else of the one that is named so."""
    major = cuda.partition(".")[0]
    others = [version for package, version in packages.items() if package.startswith(name)]
    return packages.get(f"{name}-cu{major}") or next(iter(others), "")


def usual() -> str:
    """Returns the first Python of PATH that is not of Rigforge's environment."""
    own = Path(sys.prefix) / "bin"
    for name in ("python3", "python"):
        program = shutil.which(name)
        if program and Path(program).parent != own:
            return program
    return next((str(path) for path in (Path("/usr/bin/python3"),) if path.exists()), "")
