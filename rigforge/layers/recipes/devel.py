"""Compilers, headers and CUDA's tools."""

from __future__ import annotations

from rigforge.layers import conda, wheels
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.root import Root


def build(root: Root) -> None:
    """Installs Debian packages, conda packages and wheels, and adds the latter two to CUDA's tree."""
    if any(root.files.glob("*.deb")):
        root.install_packages()
    if "conda" in root.options:
        conda.install(root)
    if any(root.files.glob("*.whl")):
        wheels.install(root)
    if root.options["cuda_version"] and ("conda" in root.options or any(root.files.glob("*.whl"))):
        link_tree(root, development=True)
