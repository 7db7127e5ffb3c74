"""CUDA and cuDNN: their wheels or conda packages in the Python environment, once, and one tree of links to them."""

from __future__ import annotations

from rigforge.layers import conda, wheels
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.environment import Environment
from rigforge.layers.root import Root

Options = Environment
PROGRAMS = (conda.PROGRAM,)


def build(root: Root, options: Options) -> None:
    """Makes the environment and installs CUDA's libraries into it."""
    if options.conda:
        conda.install(root, options.conda)
    else:
        root.chroot(["python3", "-m", "venv", "--without-pip", options.environment])
    if any(root.files.glob("*.whl")):
        wheels.install(root, options.environment, options.site_packages)
    link_tree(root, options)
    root.write("etc/ld.so.conf.d/rigforge-cuda.conf", f"{options.cuda_root}/lib64\n")
    root.chroot(["ldconfig"])
