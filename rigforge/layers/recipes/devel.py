"""Compilers, headers and CUDA's tools."""

from __future__ import annotations

from rigforge.layers import conda, conda_pins, toolkit, wheels
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.root import Root


def build(root: Root) -> None:
    """Installs apt's packages, conda packages and wheels, and adds what is CUDA's of them to its tree."""
    of_cuda = bool(root.options["cuda_version"]) and toolkit.has_packages(root)
    if of_cuda:
        toolkit.make_room(root)
    if any(root.files.glob("*.deb")):
        root.install_packages()
    if "conda" in root.options:
        conda.install(root)
    if any(root.files.glob("*.whl")):
        wheels.install(root)
    conda_pins.pin(root)
    if of_cuda or (root.options["cuda_version"] and ("conda" in root.options or any(root.files.glob("*.whl")))):
        link_tree(root, development=True)
