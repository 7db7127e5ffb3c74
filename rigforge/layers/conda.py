"""Conda environments in a root, linked by rattler from the layer's files alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rigforge import guest
from rigforge.layers import confine
from rigforge.layers.bytecode import NO_BYTECODE, compile_modules, is_test
from rigforge.layers.root import Root
from rigforge.process import run
from rigforge.state import PROJECT

#: What conda, its own environment protected (CEP 22), tells those who would change it.
FROZEN = {
    "message": "This environment has conda alone. Install into the environment {name} (`conda activate {name}`; "
    "with sudo: conda install --name {name} PACKAGE), or make your own: conda create --name NAME PACKAGE"
}

#: The channel, and what `conda activate` and `conda init` take for the environment where none is named.
CONDARC = "channels:\n  - {role}\ndefault_activation_env: {name}\n"


def install(root: Root) -> None:
    """Installs the layer's packages into their environments and compiles their modules to bytecode.

    `options["conda"]` has the packages (role and path, as in a lock) of each prefix. Their scripts run in the root.

    Raises CommandFailed with what rattler says.
    """
    for prefix, packages in root.options["conda"].items():
        _link(root, prefix, packages)
        here = root.at(prefix)
        if root.exists(f"{prefix}/bin/python"):
            compile_modules(root, f"{prefix}/bin/python", modules(here, packages), anew=True)


def protect(root: Root, prefix: str, name: str, role: str) -> None:
    """Protects conda's own environment, in favour of the one called `name`, and tells conda its channel."""
    message = {key: text.format(name=name) for key, text in FROZEN.items()}
    root.write(f"{prefix}/conda-meta/frozen", json.dumps(message) + "\n")
    root.write(f"{prefix}/.condarc", CONDARC.format(role=role, name=name))


def activated(environment: str) -> dict[str, str]:
    """Returns the variables by which conda knows that an environment is active: `conda install` is then meant for it.

    `environment` is its prefix, of one that has a name.
    """
    return {"CONDA_PREFIX": environment, "CONDA_DEFAULT_ENV": environment.rpartition("/")[2], "CONDA_SHLVL": "1"}


def modules(prefix: Path, packages: Iterable[str]) -> list[Path]:
    """Returns the modules that packages brought, without their tests."""
    files = [Path(file) for package in packages for file in record(prefix, package)["files"]]
    return [prefix / file for file in files if file.parts[0] == "lib" and file.suffix == ".py" and not is_test(file)]


def record(prefix: Path, package: str) -> dict[str, Any]:
    """Returns what conda-meta says of an installed package (role and path)."""
    name = package.rpartition("/")[2].removesuffix(".conda").removesuffix(".tar.bz2")
    found: dict[str, Any] = json.loads(guest.read(prefix, f"conda-meta/{name}.json"))
    return found


def _link(root: Root, prefix: str, packages: Iterable[str]) -> None:
    """Runs rattler in a process that confines itself to the root: prefixes are then those of the target."""
    request: Mapping[str, Any] = {"root": str(root.path), "prefix": prefix, "packages": list(packages)}
    # The package that this module is of, for the one process that needs it.
    environment = root.environment(PYTHONPATH=str(PROJECT), **NO_BYTECODE)
    program = [sys.executable, "-P", "-m", "rigforge.layers.conda_prefix"]
    result = run([*confine.namespaces(environment), *program], stdin=json.dumps(request))
    print(result.stdout, result.stderr, sep="", flush=True)
