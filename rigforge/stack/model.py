"""The stack as data. docs/stack.md explains every field to its users."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from rigforge.errors import RigforgeError
from rigforge.stack.section import Section, goes_with_provider
from rigforge.stack.site import Install, Machine, SecureBoot, Storage, dhcp_everywhere
from rigforge.stack.values import (
    AptPackage,
    Component,
    CudaVersion,
    DriverVersion,
    Fingerprint,
    Name,
    NumericVersion,
    PythonPackage,
    PythonVersion,
    PytorchVersion,
    Role,
    Several,
    Snapshot,
    Suite,
    Unit,
    VolumeId,
)

#: The sections that hold a site's values; all others make up the build part.
SITE = ("machine", "storage", "network", "install", "secure_boot")

#: The packages of NVIDIA's container toolkit (NVIDIA Container Toolkit, Installing with apt).
TOOLKIT = (
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
)

KEYRINGS = Path("/usr/share/keyrings")


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
        flat = info.data.get("suite") == "/"
        if flat and components:
            raise ValueError('a flat archive (suite = "/") has no components')
        if not flat and not components:
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


class Gpu(Section):
    """The cards that the stack is for, by their trade names."""

    models: Several[str] = ()


class Kernel(Section):
    """The kernel's package; a metapackage, the lock has what it depends on."""

    package: AptPackage


class Driver(Section):
    """The GPU driver; with `dkms` the machine can rebuild the module for another kernel."""

    provider: Literal["none", "apt"] = "none"
    version: Annotated[DriverVersion, goes_with_provider] = ""
    dkms: bool = False

    @field_validator("dkms")
    @classmethod
    def _of_a_driver(cls, dkms: bool, info: ValidationInfo) -> bool:
        if dkms and info.data.get("provider") == "none":
            raise ValueError('provider "none" has no module to rebuild')
        return dkms


class Cuda(Section):
    """CUDA's run-time libraries."""

    provider: Literal["none", "pypi"] = "none"
    version: Annotated[CudaVersion, goes_with_provider] = ""


class Cudnn(Section):
    """cuDNN, from where CUDA is from; no version: the one that PyTorch asks for."""

    version: NumericVersion = ""


class Pytorch(Section):
    """PyTorch."""

    provider: Literal["none", "pypi"] = "none"
    version: Annotated[PytorchVersion, goes_with_provider] = ""


class Python(Section):
    """The interpreter, and what is installed into its environment besides PyTorch."""

    provider: Literal["none", "system"] = "none"
    version: Annotated[PythonVersion, goes_with_provider] = ""
    packages: Several[PythonPackage] = ()

    @field_validator("packages")
    @classmethod
    def _into_an_environment(cls, packages: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if packages and info.data.get("provider") == "none":
            raise ValueError('python.provider "none" makes no environment to install packages into')
        return packages


class Packages(Section):
    """apt packages by layer, besides what the distribution's module of Rigforge adds by itself."""

    base: Several[AptPackage] = ()
    devel: Several[AptPackage] = ()
    host: Several[AptPackage] = ()


class Devel(Section):
    """Wheels of the layer devel: nvcc and headers."""

    python_packages: Several[PythonPackage] = ()


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
        if both := sorted(set(disable) & set(info.data.get("enable", ()))):
            raise ValueError(f"enabled as well: {', '.join(both)}")
        return disable


class Medium(Section):
    """The ISO: its volume name, seconds until the menu's default starts, and how hard it is compressed."""

    volume_id: VolumeId = "RIGFORGE"
    countdown: Annotated[int, Field(ge=0, le=3600)] = 15
    zstd_level: Annotated[int, Field(ge=1, le=22)] = 9


class Stack(Section):
    """A whole stack: what is built, and below it what differs from machine to machine."""

    description: str = ""
    extends: str = ""
    system: System
    archives: Annotated[Several[Archive], Field(min_length=1)]
    gpu: Gpu = Gpu()
    kernel: Kernel
    driver: Driver = Driver()
    cuda: Cuda = Cuda()
    cudnn: Cudnn = Cudnn()
    pytorch: Pytorch = Pytorch()
    python: Python = Python()
    packages: Packages = Packages()
    devel: Devel = Devel()
    container_toolkit: ContainerToolkit | None = None
    services: Services = Services()
    medium: Medium = Medium()

    machine: Machine = Machine()
    storage: Storage = Storage()
    network: dict[str, Any] = Field(default_factory=dhcp_everywhere)
    install: Install = Install()
    secure_boot: SecureBoot = SecureBoot()

    _files: tuple[Path, ...] = PrivateAttr(())

    def model_post_init(self, context: Any) -> None:
        self._files = tuple((context or {}).get("files", ()))

    @property
    def files(self) -> tuple[Path, ...]:
        """The stack's file, then the ones it extends, nearest first."""
        return self._files

    @property
    def path(self) -> Path:
        """The stack's file."""
        return self._files[0]

    @property
    def name(self) -> str:
        """The stack's name: its file's, without `.toml`."""
        return self.path.stem

    @property
    def lock_path(self) -> Path:
        """Where the stack's lock is: beside it."""
        return self.path.with_suffix(".lock")

    def build_part(self) -> dict[str, Any]:
        """Returns what lock and layers are made from, as JSON types: everything but the site's values."""
        # What is not set is left out: a field that a new release adds makes no old lock stale.
        return self.model_dump(mode="json", exclude={"extends", *SITE}, exclude_none=True)

    def checksum(self) -> str:
        """Returns the SHA-256 of the build part, in hex; the same for files that say the same in other words."""
        text = json.dumps(self.build_part(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def keyring(self, archive: Archive) -> Path:
        """Returns the file with the keys that may sign an archive.

        A bare name is in /usr/share/keyrings, a path counts from the stack's file (or the one it extends).
        Raises RigforgeError where there is no such file.
        """
        folders = [file.parent for file in self._files] if "/" in archive.keyring else [KEYRINGS]
        places = [folder / archive.keyring for folder in folders]
        for place in places:
            if place.is_file():
                return place.resolve()
        raise RigforgeError(
            f"stack {self.name}: archive {archive.role} {archive.suite}: there is no keyring {places[0]}",
            "install the distribution's keyring package (such as debian-archive-keyring), or name the file's path",
        )

    @field_validator("archives")
    @classmethod
    def _each_once(cls, archives: tuple[Archive, ...], info: ValidationInfo) -> tuple[Archive, ...]:
        named = [(archive.role, archive.suite) for archive in archives]
        for role, suite in named:
            if named.count((role, suite)) > 1:
                raise ValueError(f"{role} {suite} is there twice; put its components together")
        system = info.data.get("system")
        if system and system.suite not in [suite for _, suite in named]:
            raise ValueError(f'none has the suite "{system.suite}" of [system]')
        return archives

    @field_validator("pytorch")
    @classmethod
    def _with_its_cuda(cls, pytorch: Pytorch, info: ValidationInfo) -> Pytorch:
        cuda, cudnn = info.data.get("cuda"), info.data.get("cudnn")
        if cuda and pytorch.provider != cuda.provider:
            raise ValueError(
                f'PyTorch\'s wheels bring CUDA: pytorch.provider = "{pytorch.provider}" does not go with '
                f'cuda.provider = "{cuda.provider}"'
            )
        if cuda and cuda.provider == "none" and cudnn and cudnn.version:
            raise ValueError('cudnn.version is given, but cuda.provider is "none"')
        return pytorch

    @field_validator("python")
    @classmethod
    def _to_hold_pytorch(cls, python: Python, info: ValidationInfo) -> Python:
        pytorch = info.data.get("pytorch")
        if pytorch and pytorch.provider != "none" and python.provider == "none":
            raise ValueError('PyTorch needs a Python environment, but python.provider is "none"')
        return python

    @field_validator("devel")
    @classmethod
    def _to_hold_wheels(cls, devel: Devel, info: ValidationInfo) -> Devel:
        python = info.data.get("python")
        if devel.python_packages and python and python.provider == "none":
            raise ValueError('python_packages need a Python environment, but python.provider is "none"')
        return devel
