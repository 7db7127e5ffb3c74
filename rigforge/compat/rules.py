"""Rules of compatibility: each looks at two things and says, in words, why they cannot be had together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from packaging.version import Version

from rigforge.compat.gpu import Gpu
from rigforge.compat.tables import Branch, Build, Module, ModuleSupport, Tables
from rigforge.compat.tables import has_code as code_for

Runs = Literal["native", "minor-compat", ""]


@dataclass(frozen=True)
class Driver:
    """One version of a driver, with one of its two kernel modules."""

    branch: Branch
    version: str
    module: Module


@dataclass(frozen=True)
class Wheel:
    """One version of PyTorch, of one index."""

    build: Build
    version: Version

    @property
    def shown(self) -> str:
        """The version as `pip` shows it: "2.14.1", "2.14.1+cu126"."""
        return str(self.version) if self.build.index == "pypi" else f"{self.version}+{self.build.index}"


@dataclass(frozen=True)
class Combination:
    """One of everything. That it works, `violations` says."""

    driver: Driver
    wheel: Wheel
    python: str


def violations(tables: Tables, combination: Combination, gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    """Returns why the combination cannot work with these cards; nothing where it can."""
    driver, wheel, python = combination.driver, combination.wheel, combination.python
    reasons = [driver_with_pytorch(tables, driver, wheel), pytorch_with_python(wheel, python)]
    for gpu in gpus:
        reasons += [driver_with_gpu(tables, driver, gpu), pytorch_with_gpu(tables, wheel, gpu)]
    return tuple(filter(None, reasons))


@cache
def runs(tables: Tables, driver: Driver, wheel: Wheel) -> Runs:
    """Tells how a driver runs a PyTorch build's CUDA; empty where it does not.

    `native`: the driver is at least that of the same CUDA release. `minor-compat`: only the same major version;
    kernels that are compiled on the machine from newer PTX do not run (CUDA Compatibility, Application Considerations).
    """
    version, cuda = Version(driver.version), wheel.build.cuda
    release, major = tables.release_of(cuda), tables.major_of(cuda)
    cudnn = tables.cudnn_of(wheel.build.cudnn, cuda)
    if not (release and major and cudnn) or version < max(Version(major.driver), Version(cudnn.driver)):
        return ""
    return "native" if version >= Version(release.driver) else "minor-compat"


@cache
def driver_with_pytorch(tables: Tables, driver: Driver, wheel: Wheel) -> str:
    """Returns why a driver does not run a build of PyTorch; empty where it does."""
    if runs(tables, driver, wheel):
        return ""
    major = tables.major_of(wheel.build.cuda)
    needs = f"CUDA {major.version} needs driver {major.driver} or later" if major else "that CUDA is not in the tables"
    build = f"PyTorch {wheel.shown}, which is made with CUDA {wheel.build.cuda}"
    return f"driver {driver.version} does not run {build}: {needs}"


@cache
def pytorch_with_python(wheel: Wheel, python: str) -> str:
    """Returns why a build of PyTorch has nothing for a Python; empty where it has."""
    pythons = wheel.build.python
    if python in pythons:
        return ""
    return f"PyTorch {wheel.shown} has wheels for Python {pythons[0]} to {pythons[-1]}, not for {python}"


@cache
def driver_with_gpu(tables: Tables, driver: Driver, gpu: Gpu) -> str:
    """Returns why a driver, or its kernel module, does not drive a card; empty where it does."""
    branch = driver.branch
    if branch.drives(gpu.capability):
        return _module_with_gpu(tables, driver.module, gpu)
    fitting = [each for each in tables.branches if each.drives(gpu.capability)]
    if not fitting:
        return (
            f"the tables of {tables.as_of} know of no driver for {_card(gpu)}, which is not to say that there is none"
        )
    later = [each for each in fitting if int(each.name) > int(branch.name)]
    edge = f"first that does is {later[0].name}" if later else f"last that does is {fitting[-1].name}"
    return f"driver {branch.name} does not drive {_card(gpu)}; the {edge}"


def _module_with_gpu(tables: Tables, module: Module, gpu: Gpu) -> str:
    modules = tables.modules
    if module == "open" and gpu.capability < modules.open_from:
        first = ".".join(map(str, modules.open_from))
        return f"the open kernel module drives compute capability {first} and later, not {_card(gpu)}"
    if module == "proprietary" and needs_open(modules, gpu):
        return f"only the open kernel module drives {_card(gpu)}, not the proprietary one"
    return ""


def needs_open(modules: ModuleSupport, gpu: Gpu) -> bool:
    """Tells whether a card is driven by the open kernel module alone."""
    return gpu.capability >= modules.open_only_from or gpu.processor in modules.open_only_with


@cache
def pytorch_with_gpu(tables: Tables, wheel: Wheel, gpu: Gpu) -> str:
    """Returns why a build of PyTorch does not run on a card; empty where it does."""
    build = wheel.build
    if has_code(build, gpu) and _cudnn_has_code(tables, build, gpu):
        return ""
    edge = _edge(tables, wheel, gpu)
    major = tables.major_of(build.cuda)
    if major and gpu.capability < major.compute_capability:
        return f"CUDA {major.version} has no code for {_card(gpu)}; {edge}"
    if not has_code(build, gpu):
        return f"PyTorch {wheel.shown} has no code for {_card(gpu)}; {edge}"
    if not tables.cudnn_of(build.cudnn, build.cuda):
        return f"cuDNN {build.cudnn} is not in the tables of {tables.as_of}"
    return f"cuDNN {build.cudnn} has no code for {_card(gpu)}; {edge}"


def _edge(tables: Tables, wheel: Wheel, gpu: Gpu) -> str:
    """Returns, in words, the nearest PyTorch of the tables that runs on a card, at best of the same version."""
    fitting = [
        Wheel(each, version)
        for each in tables.builds
        if has_code(each, gpu) and _cudnn_has_code(tables, each, gpu)
        for version in each.versions
    ]
    if not fitting:
        return "no PyTorch in the tables has"
    same = [each for each in fitting if each.version == wheel.version]
    if same:
        return f"of the same version {max(same, key=lambda each: each.build.cuda).shown} has"
    later = [each for each in fitting if each.version > wheel.version]
    # Of two variants of a version PyPI's is the one that people have.
    if later:
        first = min(later, key=lambda each: (each.version, each.build.index != "pypi"))
        return f"the first PyTorch for it in the tables is {first.shown}"
    last = max(fitting, key=lambda each: (each.version, each.build.index == "pypi"))
    return f"the last PyTorch for it is {last.shown}"


def has_code(build: Build, gpu: Gpu) -> bool:
    """Tells whether a PyTorch build has code that runs on a card."""
    return code_for(build.compute_capability, gpu.capability)


def _cudnn_has_code(tables: Tables, build: Build, gpu: Gpu) -> bool:
    row = tables.cudnn_of(build.cudnn, build.cuda)
    return row is not None and code_for(row.compute_capability, gpu.capability)


def _card(gpu: Gpu) -> str:
    capability = f"compute capability {gpu.compute_capability}"
    return capability if gpu.name == capability else f"{capability} ({gpu.name})"
