"""/usr/local/cuda: the tree that compilers expect, made of links to the one copy in the Python environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rigforge import guest
from rigforge.layers.environment import Environment
from rigforge.layers.root import Root
from rigforge.records.conda import CUDA

#: Directories of NVIDIA's wheels, and where the toolkit has what is in them.
PLACES = {"bin": "bin", "include": "include", "lib": "lib64", "nvvm": "nvvm"}

#: Directories of conda-forge's packages likewise.
CONDA_PLACES = {f"targets/x86_64-linux/{name}": PLACES[name] for name in ("include", "lib")} | PLACES


def link_tree(root: Root, environment: Environment, *, development: bool = False) -> None:
    """Links every file of wheels and conda packages into one tree at `cuda_root`.

    With `development` also `libX.so` for the linker.

    Two wheels with the same file name keep the first in alphabetical order (the headers that several wheels bring).
    """
    cuda_root, tree = Path(environment.cuda_root), environment.cuda_tree
    wheels = root.at(Path(environment.site_packages, "nvidia"))
    conda = root.at(environment.environment)
    for place, file in chain(_of_wheels(wheels), _of_conda(conda)):
        target = Path("/", file.relative_to(root.path))
        if root.at(target).is_file() and file.name != "__init__.py" and "__pycache__" not in file.parts:
            _link(root, tree / place, target)
    if development:
        for library in root.glob(f"{tree}/lib64/lib*.so.*"):
            plain = re.sub(r"\.so\..*", ".so", library.name)
            _link(root, tree / "lib64" / plain, Path(library.name))
    _link(root, cuda_root, Path(tree.name))
    # Some build systems look for the 32-bit name first.
    _link(root, tree / "lib", Path("lib64"))


def _of_wheels(wheels: Path) -> Iterator[tuple[Path, Path]]:
    """Yields where the tree has a file, and the file."""
    for folder in guest.glob(wheels, "*/*"):
        if place := PLACES.get(folder.name):
            # Links to directories are not followed.
            for file in sorted(folder.rglob("*") if not folder.is_symlink() else ()):
                yield place / file.relative_to(folder), file


def _of_conda(prefix: Path) -> Iterator[tuple[Path, Path]]:
    """Yields the same of CUDA's packages in a conda environment."""
    for record in guest.glob(prefix, "conda-meta/*.json"):
        package = json.loads(guest.read(prefix, record.relative_to(prefix)))
        for file in map(Path, package["files"] if CUDA.fullmatch(package["name"]) else ()):
            for directory, place in CONDA_PLACES.items():
                if file.is_relative_to(directory) and "site-packages" not in file.parts:
                    yield place / file.relative_to(directory), prefix / file


def _link(root: Root, link: Path, target: Path) -> None:
    if not os.path.lexists(root.at(link, follow=False)):
        root.link(link, target)
