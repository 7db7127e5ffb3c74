"""The stack as data. docs/stack.md explains every field to its users."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from rigforge import paths
from rigforge.errors import RigforgeError
from rigforge.rules import network
from rigforge.stack.secrets import held
from rigforge.stack.section import Section
from rigforge.stack.sections import (
    Archive,
    ContainerToolkit,
    Cuda,
    Cudnn,
    Devel,
    Driver,
    GpuSection,
    Images,
    Kernel,
    MediumSection,
    Packages,
    Python,
    Pytorch,
    Services,
    System,
)
from rigforge.stack.site import Firewall, Install, Jupyter, SecureBoot, SiteValues, Storage
from rigforge.stack.values import (
    Several,
)

#: The sections that hold a site's values; all others make up the build part.
SITE = ("machine", "storage", "network", "firewall", "install", "jupyter", "secure_boot")

KEYRINGS = Path("/usr/share/keyrings")


class Stack(Section):
    """A whole stack: what is built, and below it what differs from machine to machine."""

    description: str = ""
    extends: str = ""
    system: System
    archives: Annotated[Several[Archive], Field(min_length=1)]
    gpu: GpuSection = GpuSection()
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
    images: Images | None = None
    medium: MediumSection = MediumSection()

    machine: SiteValues = SiteValues()
    storage: Storage = Storage()
    network: dict[str, Any] = Field(default_factory=lambda: deepcopy(network.DEFAULT))
    firewall: Firewall = Firewall()
    install: Install = Install()
    jupyter: Jupyter = Jupyter()
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
    def secrets(self) -> list[str]:
        """The keys that hold what only the builder may read."""
        return held(self.model_dump(include=set(SITE)))

    @property
    def lock_path(self) -> Path:
        """Where the stack's lock is: beside it, or with the user's data for one that a wheel brought."""
        return paths.lock(self.path)

    @property
    def new_lock_path(self) -> Path:
        """Where a new lock is written; nothing is where a wheel has put its own files."""
        return paths.new_lock(self.path)

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
        archive_suites = [(archive.role, archive.suite) for archive in archives]
        for role, suite in archive_suites:
            if archive_suites.count((role, suite)) > 1:
                raise ValueError(f"{role} {suite} is there twice; put its components together")
        system = info.data.get("system")
        if system and system.suite not in [suite for _, suite in archive_suites]:
            raise ValueError(f'none has the suite "{system.suite}" of [system]')
        return archives

    @field_validator("pytorch")
    @classmethod
    def _with_its_cuda(cls, pytorch: Pytorch, info: ValidationInfo) -> Pytorch:
        cuda, cudnn = info.data.get("cuda"), info.data.get("cudnn")
        if cuda and pytorch.provider != cuda.provider:
            raise ValueError(
                f'PyTorch comes with its CUDA: pytorch.provider = "{pytorch.provider}" does not go with '
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
        if pytorch and pytorch.provider == "conda" and python.provider != "conda":
            raise ValueError('pytorch.provider "conda" needs python.provider = "conda"')
        if pytorch and pytorch.provider == "conda" and python.packages:
            raise ValueError(
                "packages are wheels, which do not know of conda's PyTorch and bring another; "
                "name packages of the channel in conda_packages"
            )
        return python

    @field_validator("devel")
    @classmethod
    def _to_hold_wheels(cls, devel: Devel, info: ValidationInfo) -> Devel:
        python = info.data.get("python")
        if devel.python_packages and python and python.provider == "none":
            raise ValueError('python_packages need a Python environment, but python.provider is "none"')
        if devel.conda_packages and python and python.provider != "conda":
            raise ValueError('conda_packages need python.provider = "conda"')
        return devel
