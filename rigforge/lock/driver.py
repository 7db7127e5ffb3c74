"""The GPU driver's version: one for module and user space, whatever else the archives have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from rigforge.distributions.distribution import DriverPackages
from rigforge.errors import RigforgeError
from rigforge.lock import prebuilt
from rigforge.records.file import LockedFile
from rigforge.rules.versions import upstream
from rigforge.sources.apt import Available, Root
from rigforge.sources.dpkg import order
from rigforge.stack.model import Stack

# Not a branch such as 580-server-open, which package names carry.
_EXACT = re.compile(r"\d+(\.\d+)+")


def pin(stack: Stack, root: Root, driver: DriverPackages) -> None:
    """Lets only one version of the driver be chosen, and of a prebuilt module what goes with it.

    Raises RigforgeError, with the versions that there are, where the archives do not have it.
    """
    # A branch is part of the packages' names.
    if _EXACT.fullmatch(stack.driver.version):
        packages = (*driver.user_space, *driver.compiling)
        _pin_version(root, packages, stack.driver.version, flat=stack.driver.source.flat)
    if driver.prebuilt:
        names = [name for name in driver.user_space if name != driver.prebuilt]
        prebuilt.pin_set(stack, root, driver.prebuilt, names)


def check(stack: Stack, driver: DriverPackages, files: Iterable[LockedFile]) -> None:
    """Checks that nothing compiles another module beside a prebuilt one. Raises RigforgeError that names what does."""
    if driver.prebuilt:
        prebuilt.check(stack, files)


def _pin_version(root: Root, packages: Iterable[str], version: str, *, flat: bool) -> None:
    """Lets only `version` be chosen of all packages from the driver's source, in a flat archive or in the others."""
    available = [package for package in root.available(packages) if package.flat == flat]
    matches = [package for package in available if upstream(package.version) == version]
    if not matches:
        raise RigforgeError(
            f"driver.version = {version!r} is not in the stack's archives",
            _what_there_is(available) or "add one that has it",
        )
    for source in sorted({package.source for package in matches}):
        # With the revision: the other archive may have the same driver in packages of its own.
        revision = min(package.version for package in matches if package.source == source)
        root.pin(source, f"{revision}*")


def driver_version(packages: Iterable[str], package_versions: Mapping[str, str]) -> str:
    """Returns the driver's version among resolved packages (name to version): the one that most of `packages` have.

    The others (persistenced, modprobe) have versions of their own. Empty where none of them is there.
    """
    versions = Counter(upstream(package_versions[name]) for name in packages if name in package_versions)
    return versions.most_common(1)[0][0] if versions else ""


def _what_there_is(available: Iterable[Available]) -> str:
    sources = Counter(source for source, _ in {(package.source, package.name) for package in available})
    if not sources:
        return ""
    driver = sources.most_common(1)[0][0]
    versions = sorted({package.version for package in available if package.source == driver}, key=order, reverse=True)
    return f"they have {' and '.join(dict.fromkeys(map(upstream, versions)))} ({driver})"
