"""What a Python package index says of PyTorch, CUDA, cuDNN and NCCL: names of files, and the metadata of wheels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.parser import HeaderParser
from typing import Any

import requests
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version
from pypi_simple import PyPISimple

from rigforge.facts.remote_zip import archive
from rigforge.sources.mirrors import TIMEOUT

#: Wheels whose metadata is read at once.
_AT_ONCE = 6

#: Names of wheels for Linux on x86-64, and for any machine.
_FITTING = re.compile(r"-(any|\w*linux\S*x86_64)\.whl$")

_ARCHITECTURES = re.compile(rb"(?:sm_\d+a? ){3,}sm_\d+a?")


class PackageIndex:
    """A package index, by the root of its simple API."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._simple, self._session = PyPISimple(url, session=session), session

    def wheels(self, project: str) -> dict[Version, dict[str, str]]:
        """Returns the URLs of a project's wheels for x86-64 or any processor, by version and file name."""
        urls: dict[Version, dict[str, str]] = {}
        for package in self._simple.get_project_page(project, timeout=TIMEOUT).packages:
            name = package.filename
            if package.is_yanked or not _FITTING.search(name):
                continue
            try:
                version = parse_wheel_filename(name)[1]
            except InvalidWheelFilename:
                continue
            if not version.is_prerelease:
                urls.setdefault(version, {})[name] = package.url
        return urls

    def requirements(self, url: str) -> tuple[Requirement, ...]:
        """Returns what a wheel requires, of which only the metadata is fetched."""
        with archive(url, self._session) as wheel:
            name = next(each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
            headers = HeaderParser().parsestr(wheel.read(name).decode(errors="replace"))
        return tuple(map(Requirement, headers.get_all("Requires-Dist") or ()))

    def architectures(self, url: str) -> tuple[str, ...]:
        """Returns the compute capabilities that a wheel of PyTorch has code for, as its own libtorch_python says."""
        with archive(url, self._session) as wheel:
            library = wheel.read("torch/lib/libtorch_python.so")
        named = max(_ARCHITECTURES.findall(library), key=len, default=b"").decode()
        numbers = sorted(int(each) for each in re.findall(r"sm_(\d+)", named))
        return tuple(f"{number // 10}.{number % 10}" for number in numbers)


def observe(index: PackageIndex, places: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the versions there are, and what the wheels of PyTorch and of CUDA's metapackage pin."""
    torch = {v: files for v, files in index.wheels(places["torch"]).items() if v >= Version(places["since"])}
    toolkit = index.wheels(places["toolkit"])
    first = [next(iter(files.values())) for files in (*torch.values(), *toolkit.values())]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        required = dict(zip(first, threads.map(index.requirements, first), strict=True))

    def of(files: Mapping[str, str]) -> tuple[Requirement, ...]:
        return required[next(iter(files.values()))]

    return {
        "torch": {str(v): {**_pins(of(files)), "python": _pythons(files)} for v, files in sorted(torch.items())},
        "toolkit": {_three(v): _runtime(of(files)) for v, files in sorted(toolkit.items())},
        "cudnn": {major: _versions(index, project) for major, project in places["cudnn"].items()},
        "nccl": sorted({v for project in places["nccl"] for v in _versions(index, project)}, key=Version),
    }


def _pins(required: Iterable[Requirement]) -> dict[str, str]:
    """Returns the exact versions of CUDA, cuDNN and NCCL among requirements."""
    versions: dict[str, str] = {}
    for each in required:
        exact = next((s.version for s in each.specifier if s.operator == "=="), "")
        for component, names in _COMPONENTS.items():
            if exact and re.fullmatch(names, each.name):
                versions[component] = exact
    return versions


#: The packages that PyTorch's wheels pin; of CUDA the metapackage, and before 2.11 the runtime.
_COMPONENTS = {
    "cuda": r"cuda-toolkit|nvidia-cuda-runtime(-cu\d\d)?",
    "cudnn": r"nvidia-cudnn-cu\d\d",
    "nccl": r"nvidia-nccl-cu\d\d",
}


def _runtime(required: Iterable[Requirement]) -> str:
    pins = (str(each.specifier) for each in required if re.fullmatch(r"nvidia-cuda-runtime(-cu\d\d)?", each.name))
    return next((pin.removeprefix("==").removesuffix(".*") for pin in pins), "")


def _pythons(files: Iterable[str]) -> list[str]:
    """Returns the Pythons that wheels are for, but for the free-threaded ones."""
    tags = {match[1] for name in files if (match := re.search(r"-cp3(\d+)-cp3\1-", name))}
    return [f"3.{minor}" for minor in sorted(map(int, tags))]


def _versions(index: PackageIndex, project: str) -> list[str]:
    return [str(version) for version in sorted(index.wheels(project)) if version.major]


def _three(version: Version) -> str:
    """Returns a version of the metapackage as the toolkit has it: of 13.0.3.0 it is 13.0.3."""
    return ".".join(map(str, (*version.release, 0, 0)[:3]))
