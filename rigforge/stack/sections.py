"""The tables of a stack that lock and layers are made from; `site` has those of one machine."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rigforge.stack.providers import PROVIDERS, DriverProvider, Module, Provider
from rigforge.stack.section import Section, goes_with_provider
from rigforge.stack.values import (
    AptPackage,
    Component,
    CondaPackage,
    CudaVersion,
    DriverVersion,
    EnvironmentName,
    Fingerprint,
    Name,
    NumericVersion,
    PythonPackage,
    PythonVersion,
    PytorchVersion,
    Role,
    Several,
    Snapshot,
    SourceAddress,
    Suite,
    Unit,
    VolumeId,
)

#: The packages of NVIDIA's container toolkit (NVIDIA Container Toolkit, Installing with apt).
TOOLKIT = (
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
)


# What is as it always was is left out of a stack's checksum: locks of stacks without conda stay good.
def _is_usual(value: object) -> bool:
    return value == "rig"


def _is_layered(value: object) -> bool:
    return value == "fsimage-layered"


def _is_empty(value: object) -> bool:
    return value == ()


def _is_open(value: object) -> bool:
    return value == "open"


class System(Section):
    """The distribution, and which release of it."""

    distribution: Name
    suite: Suite
    architecture: Literal["amd64"] = "amd64"


class Archive(Section):
    """One suite of an apt archive. Who serves it is the machine's affair: an archive is known by its role."""

    role: Role
    suite: Suite
    components: Several[Component] = ()
    keyring: Annotated[str, Field(min_length=1)]
    check_valid_until: bool = True
    fingerprint: Fingerprint | None = None
    snapshot: Snapshot | None = None

    @field_validator("components")
    @classmethod
    def _of_a_suite(cls, components: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        is_flat = info.data.get("suite") == "/"
        if is_flat and components:
            raise ValueError('a flat archive (suite = "/") has no components')
        if not is_flat and not components:
            raise ValueError("at least one is needed")
        return components

    @property
    def mirror(self) -> str:
        """The role of the mirror that has it: snapshots are served apart."""
        return f"{self.role}-snapshot" if self.snapshot else self.role

    @property
    def release(self) -> str:
        """The path of its signed index below the mirror's URL."""
        folders = [self.snapshot, *(() if self.suite == "/" else ("dists", self.suite)), "InRelease"]
        return "/".join(filter(None, folders))


class GpuSection(Section):
    """The cards that the stack is for, by their trade names; `expect` is how many each machine is to have."""

    models: Several[str] = ()
    expect: Annotated[int | None, Field(ge=1, le=256)] = None


class Kernel(Section):
    """The kernel's package; a metapackage, the lock has what it depends on."""

    package: AptPackage


class Driver(Section):
    """The GPU driver, of the distribution or of NVIDIA's own archive; `module` is which of the latter's two it is.

    With `dkms` the machine can rebuild the module for another kernel.
    """

    provider: Provider = "none"
    version: Annotated[DriverVersion, goes_with_provider] = ""
    module: Annotated[Module, Field(exclude_if=_is_open)] = "open"
    dkms: bool = False

    @field_validator("version")
    @classmethod
    def _in_full(cls, version: str, info: ValidationInfo) -> str:
        provider = info.data.get("provider", "none")
        if PROVIDERS[provider].exact and not re.fullmatch(r"\d+(\.\d+)+", version):
            raise ValueError(f'provider "{provider}" needs the version in full, such as "580.178.04", not "{version}"')
        return version

    @field_validator("module")
    @classmethod
    def _of_two(cls, module: Module, info: ValidationInfo) -> Module:
        if module != "open" and not PROVIDERS[info.data.get("provider", "none")].module_choice:
            choice = " and ".join(f'"{name}"' for name, provider in PROVIDERS.items() if provider.module_choice)
            raise ValueError(f"there is a choice of modules with provider {choice} alone")
        return module

    @field_validator("dkms")
    @classmethod
    def _of_a_driver(cls, dkms: bool, info: ValidationInfo) -> bool:
        if dkms and info.data.get("provider") == "none":
            raise ValueError('provider "none" has no module to rebuild')
        return dkms

    @property
    def source(self) -> DriverProvider:
        """What is particular to the provider."""
        return PROVIDERS[self.provider]


class Cuda(Section):
    """CUDA's run-time libraries."""

    provider: Literal["none", "pypi", "conda"] = "none"
    version: Annotated[CudaVersion, goes_with_provider] = ""


class Cudnn(Section):
    """cuDNN, from where CUDA is from; no version: the one that PyTorch asks for."""

    version: NumericVersion = ""


class Pytorch(Section):
    """PyTorch."""

    provider: Literal["none", "pypi", "conda"] = "none"
    version: Annotated[PytorchVersion, goes_with_provider] = ""


class Python(Section):
    """The interpreter, and what is installed into its environment besides PyTorch."""

    provider: Literal["none", "system", "conda"] = "none"
    version: Annotated[PythonVersion, goes_with_provider] = ""
    packages: Several[PythonPackage] = ()
    conda_packages: Annotated[Several[CondaPackage], Field(exclude_if=_is_empty)] = ()
    environment: Annotated[EnvironmentName, Field(exclude_if=_is_usual)] = "rig"

    @field_validator("packages")
    @classmethod
    def _into_an_environment(cls, packages: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if packages and info.data.get("provider") == "none":
            raise ValueError('python.provider "none" makes no environment to install packages into')
        return packages

    @field_validator("conda_packages")
    @classmethod
    def _by_conda(cls, packages: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if packages and info.data.get("provider") != "conda":
            raise ValueError('conda_packages need python.provider = "conda"')
        return packages


class Packages(Section):
    """apt packages by layer, besides what the distribution's module of Rigforge adds by itself."""

    base: Several[AptPackage] = ()
    devel: Several[AptPackage] = ()
    host: Several[AptPackage] = ()


class Devel(Section):
    """Wheels and conda packages of the layer devel: nvcc and headers."""

    python_packages: Several[PythonPackage] = ()
    conda_packages: Annotated[Several[CondaPackage], Field(exclude_if=_is_empty)] = ()


class ContainerToolkit(Section):
    """NVIDIA's container toolkit, from an archive that has it."""

    version: NumericVersion

    @property
    def packages(self) -> tuple[str, ...]:
        """The four packages that only work together in one version, as apt takes them."""
        return tuple(f"{name}={self.version}-1" for name in TOOLKIT)


class Services(Section):
    """systemd units to enable and to disable."""

    enable: Several[Unit] = ()
    disable: Several[Unit] = ()

    @field_validator("disable")
    @classmethod
    def _not_both(cls, disable: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if conflicts := sorted(set(disable) & set(info.data.get("enable", ()))):
            raise ValueError(f"enabled as well: {', '.join(conflicts)}")
        return disable


class Images(Section):
    """What container images say of themselves: where the stack's source is."""

    source: SourceAddress


class MediumSection(Section):
    """The ISO: its volume name, seconds until the menu's default starts, how hard it is compressed.

    `source` is Ubuntu's: a file for each layer, or one for all.
    """

    volume_id: VolumeId = "RIGFORGE"
    countdown: Annotated[int, Field(ge=0, le=3600)] = 15
    zstd_level: Annotated[int, Field(ge=1, le=22)] = 9
    source: Annotated[Literal["fsimage-layered", "fsimage"], Field(exclude_if=_is_layered)] = "fsimage-layered"
