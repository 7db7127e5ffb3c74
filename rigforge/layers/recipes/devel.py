"""Compilers, headers and CUDA's tools."""

from __future__ import annotations

from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.root import Root
from rigforge.layers.wheels import install


def build(root: Root) -> None:
    """Installs Debian packages and wheels, and adds the latter to CUDA's tree."""
    if any(root.files.glob("*.deb")):
        root.install_packages()
    if any(root.files.glob("*.whl")):
        install(root)
        link_tree(root, development=True)
