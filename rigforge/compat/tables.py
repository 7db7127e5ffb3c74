"""The compatibility tables beside this file: drivers, CUDA, cuDNN, PyTorch. Each row names its sources."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from packaging.version import Version
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rigforge.rules.versions import driver_branch

Module = Literal["open", "proprietary"]


def compute_capability(text: str) -> tuple[int, int]:
    """Returns a compute capability such as "8.9" as numbers that can be compared."""
    major, minor = text.split(".")
    return int(major), int(minor)


def has_code(codes: Iterable[tuple[int, int]], capability: tuple[int, int]) -> bool:
    """Tells whether code that is compiled for some compute capabilities runs on another.

    It does on the same major version with an equal or higher minor one (CUDA C++ Programming Guide, Binary
    Compatibility).
    """
    return any(code[0] == capability[0] and code[1] <= capability[1] for code in codes)


ComputeCapability = Annotated[tuple[int, int], BeforeValidator(compute_capability)]
Number = Annotated[Version, BeforeValidator(Version)]


class TableRow(BaseModel):
    """A row of a table: `source` has keys of the table's [sources]."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    source: Annotated[tuple[str, ...], Field(min_length=1)]

    def __hash__(self) -> int:
        return id(self)


class ModuleSupport(TableRow):
    """The cards (from which compute capability on) that the two kinds of kernel module drive.

    A card that is built together with a processor of `open_only_with` is driven by the open one alone.
    """

    open_from: ComputeCapability
    open_only_from: ComputeCapability
    open_only_with: tuple[str, ...]


class Branch(TableRow):
    """A driver branch: `end` of support (year, or year and month; empty: unknown), and the module NVIDIA recommends.

    `ended` is one that NVIDIA no longer supports, and nothing says since when. It drives the compute capabilities that
    it lists, in their order, and no other.
    """

    name: str
    kind: Literal["lts", "production", "new-feature"]
    end: str = ""
    ended: bool = False
    latest: str
    cuda: str
    compute_capability: tuple[ComputeCapability, ...]
    module: Module

    def drives(self, capability: tuple[int, int]) -> bool:
        """Tells whether it drives cards of a compute capability."""
        return capability in self.compute_capability

    def supported(self, day: date) -> bool:
        """Tells whether NVIDIA supports it on a day, as far as is known."""
        return not self.ended and (not self.end or self.end >= f"{day:%Y-%m}")


class DistributionDrivers(TableRow):
    """The drivers that a distribution's own archive has: versions, or branches at their latest."""

    distribution: str
    suite: str
    drivers: tuple[str, ...]


class Broken(TableRow):
    """A driver's module that does not compile for a distribution's kernel."""

    driver: str
    module: Module
    distribution: str
    suite: str
    kernel: str


class Major(TableRow):
    """A major version of CUDA: the oldest driver for any of its releases, and the oldest cards it has code for."""

    version: int
    driver: str
    compute_capability: ComputeCapability


class Release(TableRow):
    """A release of the CUDA Toolkit, the driver and the cudart of the same release, and the newest cards it knows."""

    version: Number
    driver: str
    runtime: Number
    newest: ComputeCapability


class Cudnn(TableRow):
    """cuDNN for one major version of CUDA, from `version` on; `confirmed` is the last release that says so."""

    version: Number
    cuda: int
    driver: str
    compute_capability: tuple[ComputeCapability, ...]
    confirmed: Number


class Build(TableRow):
    """Builds of PyTorch that differ in nothing but the version.

    What is `assumed` nobody has read from the wheel. Without `nccl` its version is not known.
    """

    versions: tuple[Number, ...]
    index: str
    cuda: Number
    cudnn: Number
    nccl: str = ""
    python: tuple[str, ...]
    compute_capability: tuple[ComputeCapability, ...]
    assumed: tuple[Literal["cuda", "cudnn"], ...] = ()


@dataclass(frozen=True, eq=False)
class Tables:
    """All tables, of which there is one; `as_of` is the oldest of their dates."""

    as_of: date
    modules: ModuleSupport
    branches: tuple[Branch, ...]
    offers: tuple[DistributionDrivers, ...]
    broken: tuple[Broken, ...]
    majors: tuple[Major, ...]
    releases: tuple[Release, ...]
    cudnn: tuple[Cudnn, ...]
    builds: tuple[Build, ...]

    def branch_of(self, version: str) -> Branch | None:
        """Returns the branch of a driver's version, "535.309.01" or "535"."""
        name = driver_branch(version)
        return next((branch for branch in self.branches if branch.name == name), None)

    def release_of(self, cuda: Version) -> Release | None:
        """Returns the release of a CUDA version, given as the toolkit's (13.0.3) or cudart's (12.8.90).

        Of several with the same cudart it is the first. Of a toolkit that has no row it is the latest row before it of
        the same minor version.
        """
        by_runtime = [release for release in self.releases if release.runtime == cuda]
        if by_runtime:
            return min(by_runtime, key=lambda release: release.version)
        minor = [release for release in self.releases if release.version.release[:2] == cuda.release[:2]]
        earlier = [release for release in minor if release.version <= cuda]
        return max(earlier, key=lambda release: release.version, default=None)

    def major_of(self, cuda: Version) -> Major | None:
        """Returns the row of a CUDA version's major version."""
        return next((major for major in self.majors if major.version == cuda.major), None)

    def cudnn_of(self, version: Version, cuda: Version) -> Cudnn | None:
        """Returns the row that holds for a cuDNN for this CUDA."""
        rows = [row for row in self.cudnn if row.cuda == cuda.major and row.version <= version]
        return max(rows, key=lambda row: row.version, default=None)


def read(name: str) -> dict[str, Any]:
    """Returns the table file `name`.toml as it is."""
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def tables() -> Tables:
    """Returns the tables, read once."""
    drivers, cuda, cudnn, pytorch = (read(name) for name in ("drivers", "cuda", "cudnn", "pytorch"))
    return Tables(
        as_of=min(table["as_of"] for table in (drivers, cuda, cudnn, pytorch)),
        modules=ModuleSupport(**drivers["modules"]),
        branches=tuple(Branch(**row) for row in drivers["branch"]),
        offers=tuple(DistributionDrivers(**row) for row in drivers["offer"]),
        broken=tuple(Broken(**row) for row in drivers["broken"]),
        majors=tuple(Major(**row) for row in cuda["major"]),
        releases=tuple(Release(**row) for row in cuda["release"]),
        cudnn=tuple(Cudnn(**row) for row in cudnn["release"]),
        builds=tuple(Build(**{**row, "index": index}) for row in pytorch["build"] for index in row["index"]),
    )
