"""Canonical's prebuilt modules: one kernel, its modules and the driver's user space, which the archive has together.

Ubuntu's archive changes in parts. A kernel comes some days before its modules, user space before or after the modules
that are built for it, one pocket before the other; and apt looks at the newest of each alone. Modules load into the
kernel that they were built for, and work with user space of their own version: they decide on the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rigforge import distributions
from rigforge.console import warn
from rigforge.errors import RigforgeError
from rigforge.lock.branches import (
    Modules,
    driver_of,
    ended,
    key,
    later_branch,
    modules_of,
    newest,
    no_modules,
    offered,
    without,
)
from rigforge.lock.platform import KERNEL
from rigforge.records.file import LockedFile
from rigforge.rules.versions import upstream
from rigforge.sources.apt import Available, Root
from rigforge.sources.dpkg import Need, needs
from rigforge.stack.model import Stack

#: Where a metapackage of the kernel may lead, beside a kernel: to another one, not to what comes with kernels.
_LEADING = re.compile(r"linux-(?!(base|cloud|firmware|headers|libc|main|modules|tools)\b)[a-z].*")

_WAIT = (
    "Ubuntu is between two versions: try again in some days, name an earlier `snapshot` in [[archives]], "
    "or another branch in driver.version"
)


class _ApartError(Exception):
    """What the archive lacks for one version of the modules."""


@dataclass(frozen=True)
class _Set:
    """A kernel's release, and the packages that go together.

    `metapackages` and `user_space` stand for all packages of their sources.
    """

    kernel: str
    user_space: Available
    packages: tuple[Available, ...]
    metapackages: tuple[Available, ...]


def pin_set(stack: Stack, root: Root, package: str, user_space: Sequence[str]) -> None:
    """Lets only one kernel, its modules and their user space be chosen: the newest that the archives have together.

    `package` leads to the modules; `user_space` are the driver's packages, of the same branch. The user is told where
    the archive's newest kernel or driver is not the one.

    Raises RigforgeError where there is no such branch, it has become another one, or no parts go together.
    """
    offers = _offers(stack, root, package, user_space)
    mismatches: list[str] = []
    for offer in offers:
        try:
            package_set = _together(root, offer, stack.kernel.package, user_space)
        except _ApartError as error:
            mismatches.append(f"{offer.name} {offer.version} {error}")
            continue
        _tell(stack, root, package_set, user_space, mismatches)
        for part in package_set.packages:
            root.pin_package(part.name, part.version)
        for part in (*package_set.metapackages, package_set.user_space):
            root.pin(part.source, part.version)
        return
    raise RigforgeError(
        "\n".join([f"{key(stack)}: kernel, modules and driver in the archive do not go together:", *mismatches]),
        _lacking(stack) or _WAIT,
    )


def check(stack: Stack, files: Iterable[LockedFile]) -> None:
    """Checks that nothing compiles another module beside Canonical's.

    Raises RigforgeError that names what does.
    """
    dkms_packages = sorted({file.name for file in files if file.name.startswith("nvidia-dkms-")})
    if dkms_packages:
        raise RigforgeError(
            f"{key(stack)}: {' and '.join(dkms_packages)} would compile a module over the one that Canonical signed",
            "take out of packages.host what depends on it (nvidia-driver-…, nvidia-headless-…): "
            "driver.version brings the driver",
        )


def _offers(stack: Stack, root: Root, package: str, user_space: Sequence[str]) -> list[Available]:
    """Returns the versions of the package that leads to the modules, newest first, behind those that lead to it."""
    modules = modules_of(package)
    assert modules, package
    for driver in newest(root, user_space).values():
        if successor := later_branch(driver):
            raise ended(stack, root, modules, successor)
    while offers := offered(root, [package]):
        if successor := later_branch(offers[0]):
            raise ended(stack, root, modules, successor)
        # "lowlatency" has become the generic kernel with other parameters, and its packages lead there.
        next_modules = [
            kernel for need in needs(offers[0].depends) if (kernel := modules_of(need.name)) and not kernel.exact
        ]
        if not next_modules:
            return offers
        package = next_modules[0].package
    raise no_modules(stack, root, modules)


def _together(root: Root, offer: Available, metapackage: str, user_space: Sequence[str]) -> _Set:
    """Returns what goes with one version of the modules.

    Raises _ApartError with what the archive has not.
    """
    target, version = _exact(offer)
    modules = _exactly(root, target.package, version)
    parts = [_exactly(root, need.name, need.version) for need in needs(modules.depends) if need.relation == "="]
    image = _image(root, target.kernel, modules)
    metapackages = _leading(root, metapackage, target.kernel)
    driver = driver_of(modules) or driver_of(offer)
    return _Set(target.kernel, _user_space(root, user_space, driver), (offer, modules, *parts, image), metapackages)


def _exact(offer: Available) -> tuple[Modules, str]:
    """Returns the package of the modules themselves, which this one is or leads to, and its version."""
    for need in (Need(offer.name, "=", offer.version), *needs(offer.depends)):
        if (modules := modules_of(need.name)) and modules.exact:
            return modules, need.version
    raise _ApartError("leads to no modules")


def _exactly(root: Root, name: str, version: str) -> Available:
    candidates = offered(root, [name])
    matches = [candidate for candidate in candidates if version in ("", candidate.version)]
    if not matches:
        availability = f"there is {_versions(candidates)}" if candidates else "there is none"
        raise _ApartError(f"needs {name} {version}, and {availability}")
    return matches[0]


def _image(root: Root, release: str, modules: Available) -> Available:
    """Returns the signed kernel that the modules were built for.

    Two releases of Ubuntu have kernels of one name that are not the same: those that an older one got from a newer one
    have the older one's number in their version (6.8.0-138.138~22.04.1).
    """
    images = offered(root, [f"linux-image-{release}"])
    matches = [image for image in images if _backport(image.version) == _backport(modules.version)]
    if not matches:
        availability = (
            f"there is linux-image-{release} {_versions(images)}" if images else f"there is no linux-image-{release}"
        )
        raise _ApartError(f"is built for the kernel {release}, version {modules.version}, and {availability}")
    return matches[0]


def _backport(version: str) -> str:
    match = re.search(r"~\d\d\.\d\d", version)
    return match[0] if match else ""


def _leading(root: Root, metapackage: str, release: str) -> tuple[Available, ...]:
    """Returns the version of the kernel's metapackage that leads to a release, with those between the two."""
    ways = _ways(root, metapackage)
    if release not in ways:
        raise _ApartError(
            f"is for the kernel {release}, and {metapackage} leads to {' and '.join(ways) or 'no kernel'} "
            f'(kernel.package = "linux-image-{release}" is that kernel alone)'
        )
    return ways[release]


def _ways(root: Root, metapackage: str) -> dict[str, tuple[Available, ...]]:
    """Returns the kernels that a metapackage leads to in its versions, newest first, each with the packages between."""
    ways: dict[str, tuple[Available, ...]] = {}
    for package in offered(root, [metapackage]):
        for need in (Need(package.name), *needs(package.depends)):
            if kernel := KERNEL.fullmatch(need.name):
                ways.setdefault(kernel[1], (package,))
            elif need.name != package.name and _LEADING.fullmatch(need.name):
                for release, way in _ways(root, need.name).items():
                    if need.version in ("", way[0].version):
                        ways.setdefault(release, (package, *way))
    return ways


def _user_space(root: Root, names: Sequence[str], driver: str) -> Available:
    """Returns the newest user space of a driver's version: one of its packages, all of which are there alike."""
    offers: dict[str, list[Available]] = {name: [] for name in names}
    for package in offered(root, names):
        offers[package.name].append(package)
    version_sets = [
        {package.version for package in packages if driver in ("", upstream(package.version))}
        for packages in offers.values()
    ]
    for name, versions in zip(names, version_sets, strict=True):
        if not versions:
            raise _ApartError(f"is of driver {driver}, and of {name} there is {_versions(offers[name])}")
    candidates = [
        package for package in offers[names[0]] if all(package.version in versions for versions in version_sets)
    ]
    if not candidates:
        raise _ApartError(f"is of driver {driver}, which {' and '.join(names)} are not there of in one version")
    return candidates[0]


def _tell(stack: Stack, root: Root, package_set: _Set, user_space: Iterable[str], mismatches: Sequence[str]) -> None:
    """Tells the user which newer kernel or driver is left out, and why."""
    kernel, driver = next(iter(_ways(root, stack.kernel.package))), offered(root, user_space)[0]
    reasons = [*mismatches]
    if kernel != package_set.kernel:
        reasons.append(f"for the kernel {kernel} there are no modules yet")
    if upstream(driver.version) != upstream(package_set.user_space.version):
        reasons.append(f"of driver {upstream(driver.version)} there are no modules yet")
    if reasons:
        reasons += filter(None, [_lacking(stack)])
        choice = f"kernel {package_set.kernel} and driver {upstream(package_set.user_space.version)}"
        warn("\n".join([f"stack {stack.name} is locked with {choice}, not with the newest in the archive:", *reasons]))


def _lacking(stack: Stack) -> str:
    """Returns what the stack's archives are to be completed with; "" where they have all that kernels come from."""
    if archives := without(stack, "restricted"):
        return f'add "restricted" to the components of {archives} in [[archives]]'
    suites = {archive.suite for archive in distributions.of(stack).archives}
    missing_suites = {f"{stack.system.suite}{pocket}" for pocket in ("-security", "-updates")} - suites
    return (
        f"add {' and '.join(sorted(missing_suites))} to [[archives]]: kernels and drivers come there"
        if missing_suites
        else ""
    )


def _versions(packages: Iterable[Available]) -> str:
    return " and ".join(dict.fromkeys(package.version for package in packages)) or "nothing"
