"""The wheels of a stack: resolved for its Python, and divided among the layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.records.form import said_by
from rigforge.rules.versions import series
from rigforge.sources.pypi import Index, Wheel
from rigforge.stack.model import Stack

#: The wheels that have what people ask for by another name. CUDA 12's wheels carry the suffix -cu12, newer ones none.
COMPONENTS = {
    "cuda": r"nvidia-cuda-runtime(-cu\d+)?",
    "cudnn": r"nvidia-cudnn(-cu\d+)?",
    "pytorch": "torch",
    "jupyterlab": "jupyterlab",
}

#: What nvcc's wheel asks for from CUDA 13 on, of any release, and works with only in its own.
PARTS_OF_NVCC = ("nvidia-cuda-crt", "nvidia-nvvm")

#: NVIDIA's wheels that are not of CUDA: the driver's management library for Python.
NOT_OF_CUDA = ("nvidia-ml-py",)


def resolve_wheels(
    stack: Stack,
    index: Index,
    previous_versions: Mapping[str, str],
    *,
    environment_versions: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> tuple[LockedFile, ...]:
    """Returns the wheels of the layers cuda, python and devel.

    devel is resolved on top of the others, so that what it adds cannot change what the machine runs. Its
    parts of the CUDA toolkit are of the release in cuda.version. `previous_versions` has the versions (by name) to
    prefer, `environment_versions` those of packages that conda installs, of which no wheel is taken.

    Raises RigforgeError where they do not go together, or bring another CUDA or cuDNN than the stack names.
    """
    wishes = dict.fromkeys(stack.python.packages, "python.packages")
    if stack.pytorch.provider == "pypi":
        wishes = {f"torch=={stack.pytorch.version}": "pytorch.version", **wishes}
    conda_versions = {canonicalize_name(name): version for name, version in (environment_versions or {}).items()}
    limits = [f"{name}=={version}" for name, version in conda_versions.items()]
    machine_wheels = index.resolve(wishes, constraints=limits, preferred=previous_versions, fresh=fresh)
    _check(stack, machine_wheels)
    all_wheels = machine_wheels
    if stack.devel.python_packages:
        pins = [f"{wheel.name}=={wheel.version}" for wheel in machine_wheels]
        all_wheels = index.resolve(
            {**wishes, **dict.fromkeys(stack.devel.python_packages, "devel.python_packages")},
            constraints=[*limits, *pins, *_toolkit(stack)],
            preferred=previous_versions,
            fresh=fresh,
        )
    machine_set = set(machine_wheels)
    return tuple(
        locked(wheel, _layer(wheel) if wheel in machine_set else "devel")
        for wheel in all_wheels
        if canonicalize_name(wheel.name) not in conda_versions
    )


def wheel_versions(files: Iterable[LockedFile]) -> dict[str, str]:
    """Returns the versions of `COMPONENTS` among these wheels, as far as they are there."""
    versions = {file.name: file.version for file in files}
    return {component: version for component in COMPONENTS if (version := _version(component, versions))}


def _version(component: str, versions: Mapping[str, str]) -> str:
    return next((version for name, version in versions.items() if re.fullmatch(COMPONENTS[component], name)), "")


def _check(stack: Stack, wheels: Iterable[Wheel]) -> None:
    versions = {wheel.name: wheel.version for wheel in wheels}
    for component, wish in (("cuda", stack.cuda.version), ("cudnn", stack.cudnn.version)):
        version = _version(component, versions)
        if wish and not f"{version}.".startswith(f"{wish}."):
            raise RigforgeError(
                f"stack {stack.name}: {component}.version = {wish!r}, but the wheels of "
                f"PyTorch {stack.pytorch.version} bring {version or 'none'}",
                f"set {component}.version to what they bring, or choose another pytorch.version",
            )


def _toolkit(stack: Stack) -> list[str]:
    """Returns what keeps nvcc and headers at the CUDA release of the libraries; a wish with a version has its way."""
    release = series(stack.cuda.version)
    wishes = map(Requirement, stack.devel.python_packages)
    unversioned_names = [canonicalize_name(wish.name) for wish in wishes if not wish.specifier]
    toolkit_names = [name for name in unversioned_names if name.startswith(("nvidia-cuda-", "cuda-toolkit"))]
    parts = PARTS_OF_NVCC if "nvidia-cuda-nvcc" in unversioned_names else ()
    return [f"{name}=={release}.*" for name in (*toolkit_names, *parts)] if release else []


def _layer(wheel: Wheel) -> str:
    is_cuda = wheel.name.startswith(("nvidia-", "cuda-")) and wheel.name not in NOT_OF_CUDA
    return "cuda" if is_cuda else "python"


def locked(wheel: Wheel, layer: str) -> LockedFile:
    """Returns a wheel as the lock has it."""
    with said_by("the index of Python packages", "use another mirror for role pypi"):
        return LockedFile(layer, "wheel", wheel.name, wheel.version, f"pypi:{wheel.filename}", wheel.size, wheel.sha256)
