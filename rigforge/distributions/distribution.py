"""What differs from one distribution to the next, as one stack has it: names, suites, and the installer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rigforge.installers import Installer
    from rigforge.stack.providers import Module
    from rigforge.stack.sections import Archive


@dataclass(frozen=True)
class DriverPackages:
    """The packages of a GPU driver, empty where there are none.

    `user_space` are those of the machine (libcuda, NVML, nvidia-smi, firmware), with what rebuilds the module there
    where the stack asks for it. `compiling` are those that compile the module; none of them reaches the machine.
    `prebuilt` is the package that depends on the distribution's own module for one kernel, `support` the one that
    a module needs beside it. `module` is which of the driver's two modules it is.
    """

    user_space: tuple[str, ...] = ()
    compiling: tuple[str, ...] = ()
    prebuilt: str = ""
    support: str = ""
    module: Module = "proprietary"


@dataclass(frozen=True)
class Distribution:
    """A distribution as one stack has it.

    `archives` are the stack's archives that are the distribution's own, each with what cloud-init and curtin put its
    mirror in for. `suites` are those that may be named of these archives, () where suites of several releases may be
    mixed. `sources_file` is the file of the machine from which its sources.list is made, and `sources` its text.
    """

    driver: DriverPackages
    installer: Installer
    archives: tuple[Archive, ...]
    suites: tuple[str, ...]
    sources_file: str
    sources: str


def sources_list(mirrors: dict[Archive, str]) -> str:
    """Returns sources.list(5) as cloud-init and curtin take it and fill in mirrors (cloud-init, Apt Configure)."""
    return "".join(
        f"deb {mirror} {archive.suite} {' '.join(archive.components)}\n" for archive, mirror in mirrors.items()
    )
