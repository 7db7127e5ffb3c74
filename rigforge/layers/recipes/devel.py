"""Compilers, headers and CUDA's tools."""

from __future__ import annotations

from pathlib import Path

from rigforge.layers import conda, dpkg, wheels
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.environment import Environment
from rigforge.layers.root import Root

Options = Environment
PROGRAMS, DATA = (conda.PROGRAM,), (conda.NAMES,)

#: Where the packages have headers and libraries below their tree, and where the tree of links has them.
PLACES = {"include": "include", "lib": "lib64"}

#: The names of NVIDIA's own packages of the toolkit (`cuda-nvcc-12-8` …).
TOOLKIT = "cuda-*"

#: The file of dpkg's configuration by which no upgrade brings the second copy either.
SINGLE = "rigforge-cuda"


def build(root: Root, options: Options) -> None:
    """Installs apt's packages, conda packages and wheels, and adds what is CUDA's of them to its tree."""
    of_cuda = bool(options.cuda_version) and dpkg.has_packages(root, TOOLKIT)
    if of_cuda:
        make_room(root, options.cuda_tree)
    if dpkg.has_packages(root):
        dpkg.install(root)
    if options.conda:
        conda.install(root, options.conda)
    if any(root.files.glob("*.whl")):
        wheels.install(root, options.environment, options.site_packages)
    conda.pin(root, options.environment, options.site_packages)
    if of_cuda or (options.cuda_version and (options.conda or any(root.files.glob("*.whl")))):
        link_tree(root, options, development=True)


def make_room(root: Root, tree: Path) -> None:
    """Lets the toolkit's packages unpack into `tree`, which is there: `targets/x86_64-linux` leads to its directories.

    Of a library that the tree has already dpkg leaves out theirs.
    """
    target = Path("targets/x86_64-linux")
    for name, place in PLACES.items():
        root.at(tree / place).mkdir(parents=True, exist_ok=True)
        root.link(tree / target / name, Path("../..", place))
    libraries = sorted({file.name.partition(".so.")[0] for file in root.glob(f"{tree}/lib64/lib*.so.*")})
    dpkg.exclude(root, SINGLE, (f"{tree / target / 'lib' / library}.so.*" for library in libraries))
