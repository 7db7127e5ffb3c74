"""/usr/local/cuda: the tree that compilers expect, made of links to the one copy in the Python environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rigforge.layers.root import Root

#: Directories of NVIDIA's wheels, and where the toolkit has what is in them.
PLACES = {"bin": "bin", "include": "include", "lib": "lib64", "nvvm": "nvvm"}


def link_tree(root: Root, *, development: bool = False) -> None:
    """Links every file of the wheels into one tree at `cuda_root`; with `development` also `libX.so` for the linker.

    Two wheels with the same file name keep the first in alphabetical order (the headers that several wheels bring).
    """
    wheels = root.path / root.options["site_packages"].lstrip("/") / "nvidia"
    cuda_root = Path(root.options["cuda_root"])
    tree = cuda_root.with_name(f"cuda-{root.options['cuda_version']}")
    here = root.path / tree.relative_to("/")
    for wheel in sorted(path for path in wheels.iterdir() if path.is_dir()):
        for directory, place in PLACES.items():
            for file in sorted((wheel / directory).rglob("*")):
                if file.is_file() and file.name != "__init__.py" and "__pycache__" not in file.parts:
                    _link(here / place / file.relative_to(wheel / directory), Path("/", file.relative_to(root.path)))
    if development:
        for library in sorted((here / "lib64").glob("lib*.so.*")):
            plain = library.with_name(re.sub(r"\.so\..*", ".so", library.name))
            _link(plain, Path(library.name))
    link = root.path / cuda_root.relative_to("/")
    if not link.is_symlink():
        link.symlink_to(tree.name)
    # Some build systems look for the 32-bit name first.
    _link(here / "lib", Path("lib64"))


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(link):
        link.symlink_to(target)
