"""Providers of GPU drivers: who has a driver's packages, and what a stack says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Provider = Literal["none", "apt", "nvidia"]

#: The driver's two kernel modules.
Module = Literal["open", "proprietary"]


@dataclass(frozen=True)
class DriverProvider:
    """What is particular to a provider's drivers.

    With `of_release` they are those that a release of the distribution has, as compat/drivers.toml says. With `exact`
    the version is given in full, and not as a branch. `module_choice`: the stack names one of the two modules.
    `flat`: the packages are in an archive that has all in one folder, where the distribution's have the same names.
    """

    of_release: bool = False
    exact: bool = False
    module_choice: bool = False
    flat: bool = False


#: "apt" is the distribution, "nvidia" NVIDIA's own archive.
PROVIDERS: dict[Provider, DriverProvider] = {
    "none": DriverProvider(),
    "apt": DriverProvider(of_release=True),
    "nvidia": DriverProvider(exact=True, module_choice=True, flat=True),
}
