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

    `leading` and `user_space` stand for all packages of their sources.
    """

    kernel: str
    user_space: Available
    packages: tuple[Available, ...]
    leading: tuple[Available, ...]


def pin_set(stack: Stack, root: Root, package: str, user_space: Sequence[str]) -> None:
    """Lets only one kernel, its modules and their user space be chosen: the newest that the archives have together.

    `package` leads to the modules; `user_space` are the driver's packages, of the same branch. The user is told where
    the archive's newest kernel or driver is not the one.

    Raises RigforgeError where there is no such branch, it has become another one, or no parts go together.
    """
    offers = _offers(stack, root, package, user_space)
    apart: list[str] = []
    for offer in offers:
        try:
            found = _together(root, offer, stack.kernel.package, user_space)
        except _ApartError as error:
            apart.append(f"{offer.name} {offer.version} {error}")
            continue
        _tell(stack, root, found, user_space, apart)
        for each in found.packages:
            root.pin_package(each.name, each.version)
        for each in (*found.leading, found.user_space):
            root.pin(each.source, each.version)
        return
    raise RigforgeError(
        "\n".join([f"{key(stack)}: kernel, modules and driver in the archive do not go together:", *apart]),
        _lacking(stack) or _WAIT,
    )


def check(stack: Stack, files: Iterable[LockedFile]) -> None:
    """Checks that nothing compiles another module beside Canonical's.

    Raises RigforgeError that names what does.
    """
    compiling = sorted({file.name for file in files if file.name.startswith("nvidia-dkms-")})
    if compiling:
        raise RigforgeError(
            f"{key(stack)}: {' and '.join(compiling)} would compile a module over the one that Canonical signed",
            "take out of packages.host what depends on it (nvidia-driver-…, nvidia-headless-…): "
            "driver.version brings the driver",
        )


def _offers(stack: Stack, root: Root, package: str, user_space: Sequence[str]) -> list[Available]:
    """Returns the versions of the package that leads to the modules, newest first, behind those that lead to it."""
    asked = modules_of(package)
    assert asked, package
    for each in newest(root, user_space).values():
        if later := later_branch(each):
            raise ended(stack, root, asked, later)
    while offers := offered(root, [package]):
        if later := later_branch(offers[0]):
            raise ended(stack, root, asked, later)
        # "lowlatency" has become the generic kernel with other parameters, and its packages lead there.
        further = [found for need in needs(offers[0].depends) if (found := modules_of(need.name)) and not found.exact]
        if not further:
            return offers
        package = further[0].package
    raise no_modules(stack, root, asked)


def _together(root: Root, offer: Available, metapackage: str, user_space: Sequence[str]) -> _Set:
    """Returns what goes with one version of the modules.

    Raises _ApartError with what the archive has not.
    """
    exact, version = _exact(offer)
    modules = _exactly(root, exact.package, version)
    parts = [_exactly(root, need.name, need.version) for need in needs(modules.depends) if need.relation == "="]
    image = _image(root, exact.kernel, modules)
    leading = _leading(root, metapackage, exact.kernel)
    driver = driver_of(modules) or driver_of(offer)
    return _Set(exact.kernel, _user_space(root, user_space, driver), (offer, modules, *parts, image), leading)


def _exact(offer: Available) -> tuple[Modules, str]:
    """Returns the package of the modules themselves, which this one is or leads to, and its version."""
    for need in (Need(offer.name, "=", offer.version), *needs(offer.depends)):
        if (found := modules_of(need.name)) and found.exact:
            return found, need.version
    raise _ApartError("leads to no modules")


def _exactly(root: Root, name: str, version: str) -> Available:
    there = offered(root, [name])
    fitting = [each for each in there if version in ("", each.version)]
    if not fitting:
        has = f"there is {_versions(there)}" if there else "there is none"
        raise _ApartError(f"needs {name} {version}, and {has}")
    return fitting[0]


def _image(root: Root, release: str, modules: Available) -> Available:
    """Returns the signed kernel that the modules were built for.

    Two releases of Ubuntu have kernels of one name that are not the same: those that an older one got from a newer one
    have the older one's number in their version (6.8.0-138.138~22.04.1).
    """
    there = offered(root, [f"linux-image-{release}"])
    fitting = [each for each in there if _backport(each.version) == _backport(modules.version)]
    if not fitting:
        has = f"there is linux-image-{release} {_versions(there)}" if there else f"there is no linux-image-{release}"
        raise _ApartError(f"is built for the kernel {release}, version {modules.version}, and {has}")
    return fitting[0]


def _backport(version: str) -> str:
    found = re.search(r"~\d\d\.\d\d", version)
    return found[0] if found else ""


def _leading(root: Root, metapackage: str, release: str) -> tuple[Available, ...]:
    """Returns the version of the kernel's metapackage that leads to a release, with those between the two."""
    there = _ways(root, metapackage)
    if release not in there:
        raise _ApartError(
            f"is for the kernel {release}, and {metapackage} leads to {' and '.join(there) or 'no kernel'} "
            f'(kernel.package = "linux-image-{release}" is that kernel alone)'
        )
    return there[release]


def _ways(root: Root, metapackage: str) -> dict[str, tuple[Available, ...]]:
    """Returns the kernels that a metapackage leads to in its versions, newest first, each with the packages between."""
    ways: dict[str, tuple[Available, ...]] = {}
    for each in offered(root, [metapackage]):
        for need in (Need(each.name), *needs(each.depends)):
            if kernel := KERNEL.fullmatch(need.name):
                ways.setdefault(kernel[1], (each,))
            elif need.name != each.name and _LEADING.fullmatch(need.name):
                for release, way in _ways(root, need.name).items():
                    if need.version in ("", way[0].version):
                        ways.setdefault(release, (each, *way))
    return ways


def _user_space(root: Root, names: Sequence[str], driver: str) -> Available:
    """Returns the newest user space of a driver's version: one of its packages, all of which are there alike."""
    there: dict[str, list[Available]] = {name: [] for name in names}
    for each in offered(root, names):
        there[each.name].append(each)
    fitting = [{each.version for each in found if driver in ("", upstream(each.version))} for found in there.values()]
    for name, versions in zip(names, fitting, strict=True):
        if not versions:
            raise _ApartError(f"is of driver {driver}, and of {name} there is {_versions(there[name])}")
    alike = [each for each in there[names[0]] if all(each.version in versions for versions in fitting)]
    if not alike:
        raise _ApartError(f"is of driver {driver}, which {' and '.join(names)} are not there of in one version")
    return alike[0]


def _tell(stack: Stack, root: Root, found: _Set, user_space: Iterable[str], apart: Sequence[str]) -> None:
    """Tells the user which newer kernel or driver is left out, and why."""
    kernel, driver = next(iter(_ways(root, stack.kernel.package))), offered(root, user_space)[0]
    reasons = [*apart]
    if kernel != found.kernel:
        reasons.append(f"for the kernel {kernel} there are no modules yet")
    if upstream(driver.version) != upstream(found.user_space.version):
        reasons.append(f"of driver {upstream(driver.version)} there are no modules yet")
    if reasons:
        reasons += filter(None, [_lacking(stack)])
        locked = f"kernel {found.kernel} and driver {upstream(found.user_space.version)}"
        warn("\n".join([f"stack {stack.name} is locked with {locked}, not with the newest in the archive:", *reasons]))


def _lacking(stack: Stack) -> str:
    """Returns what the stack's archives are to be completed with; "" where they have all that kernels come from."""
    if incomplete := without(stack, "restricted"):
        return f'add "restricted" to the components of {incomplete} in [[archives]]'
    named = {archive.suite for archive in distributions.of(stack).archives}
    absent = {f"{stack.system.suite}{pocket}" for pocket in ("-security", "-updates")} - named
    return f"add {' and '.join(sorted(absent))} to [[archives]]: kernels and drivers come there" if absent else ""


def _versions(packages: Iterable[Available]) -> str:
    return " and ".join(dict.fromkeys(each.version for each in packages)) or "nothing"
