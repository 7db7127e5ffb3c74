"""Who installs a machine: Rigforge's own installer, or Canonical's, whose medium is then made from Canonical's ISO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Name = Literal["rigforge", "subiquity"]


@dataclass(frozen=True)
class Installer:
    """The installer of a stack's media, in the words of its distribution.

    `packages` are those of the live system, and what the installer runs in the installed one. `pool_loaders` are the
    sets of boot loaders of which it takes one from its medium's pool; none where the layers have the boot loaders.
    `release` is the code name of the live-server ISO that the medium is made from, "" where it is all our own.
    """

    name: Name
    packages: tuple[str, ...]
    pool_loaders: tuple[tuple[str, ...], ...] = ()
    release: str = ""


def of_medium(description: Mapping[str, Any]) -> Name:
    """Returns the installer of a medium, by what that says of itself (rigforge/medium.json)."""
    return "subiquity" if "base" in description else "rigforge"
