"""An installed PyTorch against cards and driver: by what its own binary has, else by the tables, else by numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import Version

from rigforge.compat.gpu import Gpu
from rigforge.compat.gpu_code import Target, targets
from rigforge.compat.pytorch import InstalledPytorch
from rigforge.compat.rules import Driver, Wheel, pytorch_with_gpu, runs
from rigforge.compat.tables import Build, Tables


@dataclass(frozen=True)
class Installed:
    """Facts of a PyTorch: `code` is what its GPU code is for, and `how` that is known ("" where it is not)."""

    shown: str
    cuda: Version
    cudnn: Version | None
    code: tuple[Target, ...]
    how: str


def installed(tables: Tables, pytorch: InstalledPytorch) -> Installed | None:
    """Returns what is known of a PyTorch with CUDA; None where it says no version of CUDA that is one."""
    cuda, cudnn = _version(pytorch.cuda), _version(pytorch.cudnn)
    if not cuda:
        return None
    # conda's builds have PyPI's numbers and other code.
    row = None if pytorch.installer == "conda" else _row(tables, pytorch.version, cuda)
    code, how = pytorch.code, f"as {pytorch.code_in.rpartition('/')[2]} itself has it"
    if not code and row:
        code = targets(f"sm_{major}{minor}" for major, minor in row.compute_capability)
        how = f"by the table of {tables.as_of}"
        cudnn = cudnn or row.cudnn
    return Installed(pytorch.version, cuda, cudnn, code, how if code else "")


def no_code(tables: Tables, build: Installed, gpu: Gpu) -> str:
    """Returns why a PyTorch has no code that a card runs; empty where it has, or where that is not known."""
    card = f"compute capability {gpu.compute_capability} ({gpu.name})"
    if build.code:
        if any(target.runs_on(gpu.capability) for target in build.code):
            return _no_cudnn(tables, build, gpu, card)
        has = f"its code is for {', '.join(map(str, build.code))}, {build.how}"
        return f"PyTorch {build.shown} has no code for {card}: {has}; CUDA says “no kernel image is available”"
    major, newest = tables.major_of(build.cuda), _newest(tables, build.cuda)
    if major and gpu.capability < major.compute_capability:
        return f"PyTorch {build.shown} is made with CUDA {build.cuda}, and CUDA {major.version} has no code for {card}"
    if newest and gpu.capability[0] > newest[0]:
        last = ".".join(map(str, newest))
        reason = f"PyTorch {build.shown} is made with CUDA {build.cuda}, which knows no compute capability after {last}"
        return f"{reason}: it has no code for {card}"
    return _no_cudnn(tables, build, gpu, card)


def _no_cudnn(tables: Tables, build: Installed, gpu: Gpu, card: str) -> str:
    row = tables.cudnn_of(build.cudnn, build.cuda) if build.cudnn else None
    if not row:
        return ""
    oldest, newest = min(row.compute_capability), max(row.compute_capability)
    # What a release has dropped comes back in none; what it cannot do yet, a later one may.
    confirmed = build.cudnn is not None and build.cudnn.release[:3] <= row.confirmed.release
    if gpu.capability < oldest or (gpu.capability[0] > newest[0] and confirmed):
        return f"cuDNN {build.cudnn} of PyTorch {build.shown} has no code for {card}"
    return ""


def not_run(tables: Tables, build: Installed, version: str, cuda: str = "") -> str:
    """Returns why a driver does not run a PyTorch's CUDA; empty where it does, or where that is not known.

    `cuda` is the driver's own, where it is known.
    """
    major = tables.major_of(build.cuda)
    lead = f"driver {version} does not run PyTorch {build.shown}, which is made with CUDA {build.cuda}"
    if not major:
        too_old = bool(cuda) and build.cuda.major > Version(cuda).major
        return f"{lead}: that driver's own is CUDA {cuda}" if too_old else ""
    cudnn = tables.cudnn_of(build.cudnn, build.cuda) if build.cudnn else None
    for needed, what in ((major.driver, f"CUDA {major.version}"), (cudnn and cudnn.driver, f"cuDNN {build.cudnn}")):
        if needed and Version(version) < Version(needed):
            return f"{lead}: {what} needs driver {needed} or later"
    return ""


def only_ptx(build: Installed, gpu: Gpu, version: str) -> str:
    """Returns why a card runs nothing of a PyTorch with a driver older than its CUDA: all that fits is PTX; else "".

    The driver would have to compile it, and knows no PTX of later releases (CUDA Compatibility, Application
    Considerations).
    """
    fitting = [target for target in build.code if target.runs_on(gpu.capability)]
    if not fitting or any(target.kind == "sm" for target in fitting):
        return ""
    has = f"PyTorch {build.shown} has for the {gpu.name} only {', '.join(map(str, fitting))}"
    return f"{has}, which driver {version} would have to compile: it is older than CUDA {build.cuda}"


def native(tables: Tables, build: Installed, driver: Driver) -> bool:
    """Tells whether a driver is of a PyTorch's CUDA release, or later."""
    release = tables.release_of(build.cuda)
    if release and Version(driver.version) >= Version(release.driver):
        return True
    return build.cuda.release[:2] <= Version(driver.branch.cuda).release[:2] and not release


def that_works(
    tables: Tables, driver: Driver | None, gpus: Iterable[Gpu], python: str, instead_of: str = ""
) -> Wheel | None:
    """Returns the PyTorch that these cards run, with this driver and Python where they are given.

    It is the newest for which the driver is native, where that is none older than the version that it is `instead_of`;
    else the newest.
    """
    cards = tuple(gpus)
    fitting = [
        wheel
        for build in tables.builds
        for wheel in (Wheel(build, version) for version in build.versions)
        if (not python or python in build.python)
        and (not driver or runs(tables, driver, wheel))
        and not any(pytorch_with_gpu(tables, wheel, gpu) for gpu in cards)
    ]
    before = _version(instead_of) or Version("0")
    natively = [
        each for each in fitting if each.version >= before and (not driver or runs(tables, driver, each) == "native")
    ]
    return max(
        natively or fitting,
        key=lambda wheel: (wheel.version, wheel.build.index == "pypi", wheel.build.cuda),
        default=None,
    )


def _newest(tables: Tables, cuda: Version) -> tuple[int, int] | None:
    """Returns the newest compute capability that a CUDA can have code for: of its release, else of the next one."""
    later = [release for release in tables.releases if release.version >= cuda]
    release = tables.release_of(cuda) or min(later, key=lambda each: each.version, default=None)
    return release.newest if release else None


def _row(tables: Tables, version: str, cuda: Version) -> Build | None:
    """Returns the row of a build: of its own index or, where that has none, of the same version and CUDA release."""
    parsed = _version(version)
    if not parsed or parsed.is_prerelease:
        return None
    public, index = Version(parsed.public), parsed.local or "pypi"
    rows = [row for row in tables.builds if public in row.versions and row.cuda.release[:2] == cuda.release[:2]]
    rows = [row for row in rows if _official(index)]
    return next((row for row in rows if row.index == index), next(iter(rows), None))


def _official(index: str) -> bool:
    """Tells whether a version's local part is that of PyTorch's own wheels, and not of somebody's source."""
    return index == "pypi" or (index.startswith("cu") and index[2:].isdecimal())


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # of packaging, or of Python for numbers of thousands of digits
        return None
