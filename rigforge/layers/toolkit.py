"""Packages of NVIDIA's own archive (`cuda-nvcc-12-8` …) in the one tree of CUDA, which is where they unpack to."""

from __future__ import annotations

from pathlib import Path

from rigforge.layers.root import Root

#: Where the packages have headers and libraries below their tree, and where the tree of links has them.
PLACES = {"include": "include", "lib": "lib64"}

#: dpkg reads it at every installation, so that no upgrade brings the second copy either.
SINGLE = "etc/dpkg/dpkg.cfg.d/rigforge-cuda"


def has_packages(root: Root) -> bool:
    """Tells whether the layer's files have packages of the toolkit."""
    return any(root.files.glob("cuda-*.deb"))


def make_room(root: Root) -> None:
    """Lets the packages unpack into the tree that is there: `targets/x86_64-linux` leads to its own directories.

    Of a library that the tree has already dpkg leaves out theirs.
    """
    tree = Path(root.options["cuda_root"]).with_name(f"cuda-{root.options['cuda_version']}")
    target = Path("targets/x86_64-linux")
    for name, place in PLACES.items():
        root.at(tree / place).mkdir(parents=True, exist_ok=True)
        root.link(tree / target / name, Path("../..", place))
    libraries = sorted({file.name.partition(".so.")[0] for file in root.glob(f"{tree}/lib64/lib*.so.*")})
    excluded = (f"path-exclude={tree / target / 'lib' / library}.so.*\n" for library in libraries)
    root.write(SINGLE, "".join(excluded))
