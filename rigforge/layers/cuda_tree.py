"""/usr/local/cuda: the tree that compilers expect, made of links to the one copy in the Python environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rigforge.layers.root import Root
from rigforge.lock.conda import CUDA

#: Directories of NVIDIA's wheels, and where the toolkit has what is in them.
PLACES = {"bin": "bin", "include": "include", "lib": "lib64", "nvvm": "nvvm"}

#: Directories of conda-forge's packages likewise.
CONDA_PLACES = {f"targets/x86_64-linux/{name}": PLACES[name] for name in ("include", "lib")} | PLACES


def link_tree(root: Root, *, development: bool = False) -> None:
    """Links every file of wheels and conda packages into one tree at `cuda_root`.

    With `development` also `libX.so` for the linker.

    Two wheels with the same file name keep the first in alphabetical order (the headers that several wheels bring).
    """
    cuda_root = Path(root.options["cuda_root"])
    tree = cuda_root.with_name(f"cuda-{root.options['cuda_version']}")
    here = root.path / tree.relative_to("/")
    wheels = root.path / root.options["site_packages"].lstrip("/") / "nvidia"
    conda = root.path / root.options["environment"].lstrip("/")
    for place, file in chain(_of_wheels(wheels), _of_conda(conda)):
        if file.is_file() and file.name != "__init__.py" and "__pycache__" not in file.parts:
            _link(here / place, Path("/", file.relative_to(root.path)))
    if development:
        for library in sorted((here / "lib64").glob("lib*.so.*")):
            plain = library.with_name(re.sub(r"\.so\..*", ".so", library.name))
            _link(plain, Path(library.name))
    link = root.path / cuda_root.relative_to("/")
    if not link.is_symlink():
        link.symlink_to(tree.name)
    # Some build systems look for the 32-bit name first.
    _link(here / "lib", Path("lib64"))


def _of_wheels(wheels: Path) -> Iterator[tuple[Path, Path]]:
    """Yields where the tree has a file, and the file."""
    for wheel in sorted(path for path in wheels.glob("*") if path.is_dir()):
        for directory, place in PLACES.items():
            for file in sorted((wheel / directory).rglob("*")):
                yield place / file.relative_to(wheel / directory), file


def _of_conda(prefix: Path) -> Iterator[tuple[Path, Path]]:
    """Yields the same of CUDA's packages in a conda environment."""
    for record in sorted(prefix.glob("conda-meta/*.json")):
        known = json.loads(record.read_text(encoding="utf-8"))
        for file in map(Path, known["files"] if CUDA.fullmatch(known["name"]) else ()):
            for directory, place in CONDA_PLACES.items():
                if file.is_relative_to(directory) and "site-packages" not in file.parts:
                    yield place / file.relative_to(directory), prefix / file


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(link):
        link.symlink_to(target)
