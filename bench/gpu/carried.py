"""What the run takes along: the wheels that Rigforge's doctor, `explain` and the image tests need, unpacked there.

A wheel is a zip file that need only be unpacked to be imported: no pip is needed there, and nothing is installed.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

#: What is imported there; their own requirements come with them.
ROOTS = (
    *("invoke", "jinja2", "nvidia-ml-py", "packaging", "py-rattler", "pydantic", "pypi-simple", "python-debian"),
    *("pyyaml", "requests", "rich", "squarify", "zstandard"),
    *("jsonschema", "pytest", "pytest-testinfra"),
)
#: Wheels for any Linux with glibc 2.28, which PyTorch's own wheels ask for.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")


def pack(folder: Path, python: str) -> None:
    """Fetches the wheels, in the versions of this environment, for a version of Python. Needs the network."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    for old in wheels.glob("*.whl"):
        old.unlink()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={wheels}"]
    kind = [f"--python-version={python}", "--implementation=cp", *(f"--platform={name}" for name in PLATFORMS)]
    subprocess.run([*pip, *kind, *sorted(_needed())], check=True)


def unpack(folder: Path, site: Path) -> Path | None:
    """Unpacks the wheels into `site` and returns it; None where none were carried, and the environment has them."""
    wheels = sorted((folder / "wheels").glob("*.whl"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)
    return site if wheels else None


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _needed() -> Iterator[str]:
    """Yields the packages as `name==version`, each once."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    queue, names = list(ROOTS), set[str]()
    while queue:
        name = canonicalize_name(queue.pop())
        if name in names:
            continue
        names.add(name)
        distribution = metadata.distribution(name)
        yield f"{name}=={distribution.version}"
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                queue.append(requirement.name)
