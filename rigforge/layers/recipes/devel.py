"""Compilers, headers and CUDA's tools."""

from __future__ import annotations

from pathlib import Path

from rigforge.layers import conda, wheels
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.environment import Environment
from rigforge.layers.root import Root

Options = Environment
PROGRAMS, DATA = (conda.PROGRAM,), (conda.NAMES,)

#: Where the packages have headers and libraries below their tree, and where the tree of links has them.
PLACES = {"include": "include", "lib": "lib64"}

#: dpkg reads it at every installation, so that no upgrade brings the second copy either.
SINGLE = "etc/dpkg/dpkg.cfg.d/rigforge-cuda"


def build(root: Root, options: Options) -> None:
    """Installs apt's packages, conda packages and wheels, and adds what is CUDA's of them to its tree."""
    of_cuda = bool(options.cuda_version) and has_packages(root)
    if of_cuda:
        make_room(root, options.cuda_tree)
    if any(root.files.glob("*.deb")):
        root.install_packages()
    if options.conda:
        conda.install(root, options.conda)
    if any(root.files.glob("*.whl")):
        wheels.install(root, options.environment, options.site_packages)
    conda.pin(root, options.environment, options.site_packages)
    if of_cuda or (options.cuda_version and (options.conda or any(root.files.glob("*.whl")))):
        link_tree(root, options, development=True)


def has_packages(root: Root) -> bool:
    """Tells whether the layer's files have packages of the toolkit (`cuda-nvcc-12-8` …), from NVIDIA's own archive."""
    return any(root.files.glob("cuda-*.deb"))


def make_room(root: Root, tree: Path) -> None:
    """Lets the toolkit's packages unpack into `tree`, which is there: `targets/x86_64-linux` leads to its directories.

    Of a library that the tree has already dpkg leaves out theirs.
    """
    target = Path("targets/x86_64-linux")
    for name, place in PLACES.items():
        root.at(tree / place).mkdir(parents=True, exist_ok=True)
        root.link(tree / target / name, Path("../..", place))
    libraries = sorted({file.name.partition(".so.")[0] for file in root.glob(f"{tree}/lib64/lib*.so.*")})
    excluded = (f"path-exclude={tree / target / 'lib' / library}.so.*\n" for library in libraries)
    root.write(SINGLE, "".join(excluded))
