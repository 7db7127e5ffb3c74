"""The Python environment of a machine, with what of CUDA is in it: where it is, and what conda puts where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: The environment, where conda has made none, on machines and in containers alike.
ENVIRONMENT = "/opt/rigforge/python"

#: Where the interpreter of an environment keeps its packages, for one minor version of Python.
SITE_PACKAGES = "{environment}/lib/python{version}/site-packages"

#: conda's own environment; the others are below it.
CONDA = "/opt/conda"

CUDA_ROOT = "/usr/local/cuda"


@dataclass(frozen=True)
class Environment:
    """The environment that is active on the machine; the paths are those of the root.

    `cuda_version` is major and minor, empty without CUDA. `conda` has the packages of a layer (role and path, as in a
    lock) by the prefix that they go into.
    """

    environment: str
    site_packages: str
    cuda_root: str = CUDA_ROOT
    cuda_version: str = ""
    conda: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def cuda_tree(self) -> Path:
        """The directory of one version of CUDA, to which `cuda_root` leads."""
        return Path(self.cuda_root).with_name(f"cuda-{self.cuda_version}")


@dataclass(frozen=True)
class LinkRequest:
    """Conda packages (role and path each) to link into a prefix of a root; both are paths as text."""

    root: str
    prefix: str
    packages: Sequence[str]
