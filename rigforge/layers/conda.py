"""Conda environments in a root: linked by rattler from the layer's files alone, and what conda then leaves alone."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from rigforge import guest
from rigforge.layers import confine
from rigforge.layers.environment import LinkRequest
from rigforge.layers.root import Root
from rigforge.layers.wheels import NO_BYTECODE, compile_modules, is_test
from rigforge.process import run

_PACKAGE = Path(__file__).parents[1]

#: The program that links packages, apart from this one.
PROGRAM = "rigforge.layers.conda_prefix"

#: The names that conda-forge has for packages of PyPI: a file of this package.
NAMES = "layers/conda_names.toml"

#: What conda, its own environment protected (CEP 22), tells those who would change it.
FROZEN = {
    "message": "This environment has conda alone. Install into the environment {name} (`conda activate {name}`; "
    "with sudo: conda install --name {name} PACKAGE), or make your own: conda create --name NAME PACKAGE"
}

#: The channel, and what `conda activate` and `conda init` take for the environment where none is named.
CONDARC = "channels:\n  - {role}\ndefault_activation_env: {name}\n"

#: conda-meta/pinned, which conda and mamba heed (docs.conda.io, "Preventing packages from updating (pinning)"). Whoever
#: is refused a package is told of the pins, and finds the reason here.
PINNED = """\
# conda brings no other build of these into this environment. Those of build pypi_0 are wheels, which it does not see:
# it would write its own over them. What depends on them is installed with pip (on a machine: rigforge-python -m pip
# install NAME), or into an environment of your own (conda create --name NAME PACKAGE). On purpose: --no-pin.
{pins}
"""

#: The build that `conda list` shows of a wheel, and that no package of a channel has.
WHEEL = "pypi_0"

#: Packages that stay as they were locked, also where conda itself has installed them.
HELD = {"pytorch"}


def install(root: Root, environments: Mapping[str, Sequence[str]]) -> None:
    """Installs the layer's packages into their environments and compiles their modules to bytecode.

    `environments` has the packages (role and path, as in a lock) of each prefix. Their scripts run in the root.

    Raises CommandFailed with what rattler says.
    """
    for prefix, packages in environments.items():
        _link(root, prefix, packages)
        folder = root.at(prefix)
        if root.exists(f"{prefix}/bin/python"):
            compile_modules(root, f"{prefix}/bin/python", modules(folder, packages), anew=True)


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
    metadata: dict[str, Any] = json.loads(guest.read(prefix, f"conda-meta/{name}.json"))
    return metadata


def _link(root: Root, prefix: str, packages: Iterable[str]) -> None:
    """Runs rattler in a process that confines itself to the root: prefixes are then those of the target."""
    request = LinkRequest(str(root.path), prefix, list(packages))
    # The package that this module is of, for the one process that needs it.
    environment = root.environment(PYTHONPATH=str(_PACKAGE.parent), **NO_BYTECODE)
    program = [sys.executable, "-P", "-m", PROGRAM]
    result = run([*confine.namespaces(environment), *program], stdin=json.dumps(asdict(request)))
    print(result.stdout, result.stderr, sep="", flush=True)


def pin(root: Root, environment: str, site_packages: str) -> None:
    """Pins what is in the environment that is active on the machine, if that is conda's."""
    folder = root.at(environment)
    if (folder / "conda-meta").is_dir():
        specs = pins(folder, root.at(site_packages))
        root.write(f"{environment}/conda-meta/pinned", PINNED.format(pins="\n".join(specs)))


def pins(prefix: Path, site_packages: Path) -> list[str]:
    """Returns match specs, sorted, of what conda may neither replace nor install over what is there.

    A wheel is pinned by every name that conda may have for it, but for those that conda itself has installed.
    """
    metadata = [file.relative_to(prefix) for file in guest.glob(prefix, "conda-meta/*.json")]
    records = [json.loads(guest.read(prefix, file)) for file in metadata]
    names_of_conda = {package["name"] for package in records}
    files = {prefix / file for package in records for file in package["files"]}
    specs = {
        f"{package['name']} =={package['version']} {package['build']}" for package in records if package["name"] in HELD
    }
    for file in guest.glob(site_packages, "*.dist-info/METADATA"):
        if file not in files and file.is_file() and not file.is_symlink():
            wheel = Distribution.at(file.parent)
            names = set(conda_names(wheel.metadata["Name"])) - names_of_conda
            specs |= {f"{name} =={wheel.version} {WHEEL}" for name in names}
    return sorted(specs)


@cache
def _table() -> dict[str, list[str]]:
    return tomllib.loads((_PACKAGE / NAMES).read_text(encoding="utf-8"))


def conda_names(wheel: str) -> tuple[str, ...]:
    """Returns the names that conda-forge may have for a package of PyPI: it writes hyphens, underscores or dots."""
    name = canonicalize_name(wheel)
    return tuple(_table().get(name, (name, name.replace("-", "_"), wheel.lower())))
