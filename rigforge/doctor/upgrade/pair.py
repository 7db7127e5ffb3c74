"""Kernel and driver as a pair: the one that is installed, the one that an archive offers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rigforge.doctor.kernels import order
from rigforge.doctor.machine import Machine
from rigforge.doctor.upgrade.packages import AptPackages, Offered, OfferedPackage

#: Packages of the module, whose name ends with that of the kernel: Rigforge's own, and Canonical's.
MODULE = re.compile(r"(?:nvidia-modules|linux-modules-nvidia-(?P<branch>\d{3}(?:-server)?(?:-open)?))-(?P<kernel>\d.*)")

_IMAGE = re.compile(r"linux-image-(\d.*)")
#: A metapackage, which leads to the newest kernel of its kind: linux-image-amd64, linux-image-generic-hwe-24.04.
_NEWEST = re.compile(r"linux-image-(?!.*-dbg$)[a-z].*")


@dataclass(frozen=True)
class Pair:
    """A kernel, the version of its package, and the version of the driver."""

    kernel: str
    kernel_version: str
    driver: str

    def __str__(self) -> str:
        return f"kernel {self.kernel} ({self.kernel_version}) with driver {self.driver}"


@dataclass(frozen=True)
class PackagedSystem:
    """A machine with a driver from packages; `image` is that of its newest kernel."""

    machine: Machine
    packages: AptPackages

    @cached_property
    def images(self) -> Mapping[str, OfferedPackage]:
        """The installed kernels by name."""
        matches = ((_IMAGE.fullmatch(name), package) for name, package in self.packages.installed.items())
        return {match[1]: package for match, package in matches if match and not match[1].endswith("-dbg")}

    @cached_property
    def modules(self) -> Mapping[str, OfferedPackage]:
        """The installed packages of the module by kernel, where it is not DKMS that compiles it."""
        matches = ((MODULE.fullmatch(name), package) for name, package in self.packages.installed.items())
        return {match["kernel"]: package for match, package in matches if match}

    @cached_property
    def user_space(self) -> Mapping[str, OfferedPackage]:
        """The driver's packages, all of one source and version; what compiles its module is not among them."""
        return {
            name: package
            for name, package in self.packages.installed.items()
            if package.source.startswith("nvidia-graphics-drivers") and "dkms" not in name
        }

    @cached_property
    def metapackages(self) -> tuple[str, ...]:
        return tuple(name for name in self.packages.installed if _NEWEST.fullmatch(name))

    @cached_property
    def pair(self) -> Pair:
        """The newest kernel that is installed, and the driver; what there is not is "" in it."""
        kernel = max(self.images, key=order, default="")
        versions = [package.upstream for package in self.user_space.values()]
        version = self.images[kernel].version if kernel else ""
        return Pair(kernel, version, max(versions, key=versions.count, default=""))


@dataclass(frozen=True)
class PairOffer:
    """The pair that the archives offer, and how it would be installed.

    `why_not` says why its parts do not belong together, `no_fallback` why the present kernel would have no module
    that goes with the new driver. `kernels` are those that need a module; `compiler` is DKMS's package where the
    module is compiled on the machine.
    """

    pair: Pair
    install: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    compiler: str = ""
    why_not: tuple[str, ...] = ()
    no_fallback: str = ""
    notes: tuple[str, ...] = ()


def newest_kernel(
    system: PackagedSystem, offers: Mapping[str, Offered], names: Iterable[str]
) -> tuple[str, dict[str, str]]:
    """Returns the newest kernel that metapackages lead to, and those that lead there with their versions.

    It is the installed one, with no metapackage, where none leads to a newer one.
    """
    by_kernel: dict[str, dict[str, str]] = {}
    for name in names:
        package = offers[name].candidate
        for kernel in _leads_to(package.depends if package else ""):
            by_kernel.setdefault(kernel, {})[name] = package.version if package else ""
    newest = max(by_kernel, key=order, default="")
    if not newest or order(newest) < order(system.pair.kernel):
        return system.pair.kernel, {}
    return newest, by_kernel[newest]


def _leads_to(depends: str) -> list[str]:
    words = (word.split()[0] for word in depends.split(",") if word.strip())
    return [match[1] for word in words if (match := _IMAGE.fullmatch(word))]
