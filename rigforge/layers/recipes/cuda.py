"""CUDA and cuDNN: their wheels or conda packages in the Python environment, once, and one tree of links to them."""

from __future__ import annotations

from rigforge.layers import conda, wheels
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.root import Root


def build(root: Root) -> None:
    """Makes the environment and installs CUDA's libraries into it."""
    if "conda" in root.options:
        conda.install(root)
    else:
        root.chroot(["python3", "-m", "venv", "--without-pip", root.options["environment"]])
    if any(root.files.glob("*.whl")):
        wheels.install(root)
    link_tree(root)
    root.write("etc/ld.so.conf.d/rigforge-cuda.conf", f"{root.options['cuda_root']}/lib64\n")
    root.chroot(["ldconfig"])
