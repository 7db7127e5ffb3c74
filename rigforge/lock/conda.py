"""The conda packages of a stack: conda's own environment and the named one, divided among the layers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from rigforge.compat.tables import tables
from rigforge.errors import RigforgeError
from rigforge.records.conda import BASE, CUDA, ROLE
from rigforge.records.file import LockedFile
from rigforge.records.form import said_by
from rigforge.rules.versions import series
from rigforge.stack.model import Stack

if TYPE_CHECKING:
    from rigforge.sources.conda import Channel, CondaPackage

#: The packages that have what people ask for by another name.
COMPONENTS = {
    "conda": "conda",
    "cuda": "cuda-cudart",
    "cudnn": "cudnn|libcudnn",
    "pytorch": "pytorch",
    "python": "python",
    "jupyterlab": "jupyterlab",
}


def virtual_packages(stack: Stack, kernel: str, glibc: tuple[int, int]) -> dict[str, tuple[str, str]]:
    """Returns the target's virtual packages: its `kernel` (as `uname -r` has it), C library, processor and driver.

    Without a driver in the stack, CUDA's own version stands for that of the driver a container meets.
    Raises RigforgeError where the driver's CUDA version is not known.
    """
    packages = {
        "__unix": ("0", "0"),
        "__linux": (kernel.partition("-")[0], "0"),
        "__glibc": (".".join(map(str, glibc)), "0"),
        "__archspec": ("1", "x86_64"),
    }
    if stack.cuda.provider == "none":
        return packages
    cuda = stack.cuda.version
    if stack.driver.version:
        branch = tables().branch_of(stack.driver.version.partition("-")[0])
        if branch is None:
            raise RigforgeError(
                f"stack {stack.name}: which CUDA the driver {stack.driver.version} has is not known, but conda asks",
                "name a driver of a branch that compat/drivers.toml has",
            )
        cuda = branch.cuda
    return {**packages, "__cuda": (cuda, "0")}


def resolve_conda(
    stack: Stack, channel: Channel, previous_hashes: Collection[str], *, fresh: bool = False
) -> tuple[tuple[LockedFile, ...], dict[str, str]]:
    """Returns the packages of the layers cuda, python and devel, and the named environment's Python packages.

    The latter are versions by name, for wheels that come on top of them. devel is resolved on top of the others, so
    that what it adds cannot change what the machine runs. `previous_hashes` has the sha256 (hex) of packages to prefer.

    Raises RigforgeError where they do not go together.
    """
    python = {f"python {stack.python.version}.*": "python.version"}
    base = channel.resolve(
        {**python, "conda": "python.provider", "mamba": "python.provider"}, preferred=previous_hashes, fresh=fresh
    )
    wishes = {**python, **dict.fromkeys(stack.python.conda_packages, "python.conda_packages")}
    limits = []
    if stack.pytorch.provider == "conda":
        release = series(stack.cuda.version)
        # The package pytorch is built without CUDA too; this one asks for a build with it.
        wishes |= {
            f"pytorch-gpu =={stack.pytorch.version}": "pytorch.version",
            f"cuda-version ={release}": "cuda.version",
        }
        limits = [f"cuda-cudart ={stack.cuda.version}"]
        if version := stack.cudnn.version:
            limits += [f"cudnn ={version}", f"libcudnn ={version}"]
    machine_packages = channel.resolve(wishes, constraints=limits, preferred=previous_hashes, fresh=fresh)
    all_packages = machine_packages
    if stack.devel.conda_packages:
        all_packages = channel.resolve(
            {**wishes, **dict.fromkeys(stack.devel.conda_packages, "devel.conda_packages")},
            constraints=[f"{record.name} =={record.version} {record.build}" for record in machine_packages],
            preferred=previous_hashes,
            fresh=fresh,
        )
    from rigforge.sources.conda import closure  # rattler, which a build of wheels does without

    cuda_names = closure(machine_packages, _lowest(stack, machine_packages))
    files = [_locked(package, BASE, "python") for package in base]
    for package in all_packages:
        layer = "cuda" if package.name in cuda_names else "python" if package in machine_packages else "devel"
        files.append(_locked(package, stack.python.environment, layer))
    return tuple(files), {record.name: record.version for record in machine_packages if "python" in record.needs}


def conda_versions(files: Iterable[LockedFile], environment: str) -> dict[str, str]:
    """Returns the versions of `COMPONENTS` among these packages, as far as they are there."""
    environment_versions = {
        file.name: file.version for file in files if file.kind == "conda" and file.environment == environment
    }
    versions = {
        **environment_versions,
        **{file.name: file.version for file in files if file.kind == "conda" and file.name == "conda"},
    }
    return {
        component: version
        for component, names in COMPONENTS.items()
        for version in [next((versions[name] for name in names.split("|") if name in versions), "")]
        if version
    }


def _lowest(stack: Stack, packages: Iterable[CondaPackage]) -> list[str]:
    """The packages of the layer cuda: CUDA's, or for CUDA's wheels the Python that installs them."""
    if stack.cuda.provider == "pypi":
        return ["python"]
    return [package.name for package in packages if CUDA.fullmatch(package.name)]


def _locked(package: CondaPackage, environment: str, layer: str) -> LockedFile:
    file = f"{ROLE}:{package.path}"
    with said_by(f"the channel {ROLE}", f"use another mirror for role {ROLE}"):
        return LockedFile(
            layer, "conda", package.name, package.version, file, package.size, package.sha256, environment
        )
