"""CUDA and cuDNN: their wheels in the Python environment, once, and one tree of links to them."""

from __future__ import annotations

from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.root import Root
from rigforge.layers.wheels import install


def build(root: Root) -> None:
    """Makes the environment and installs the wheels with CUDA's libraries."""
    root.chroot(["python3", "-m", "venv", "--without-pip", root.options["environment"]])
    install(root)
    link_tree(root)
    root.write("etc/ld.so.conf.d/rigforge-cuda.conf", f"{root.options['cuda_root']}/lib64\n")
    root.chroot(["ldconfig"])
