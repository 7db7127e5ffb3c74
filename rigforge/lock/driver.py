"""The GPU driver's version: one for module and user space, whatever else the archives have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from debian.debian_support import Version

from rigforge.errors import RigforgeError
from rigforge.lock.target import KERNEL
from rigforge.sources.apt import Available, Root

# Not a branch such as 580-server-open, which package names carry.
_EXACT = re.compile(r"\d+(\.\d+)+")


def pin_driver(root: Root, packages: Iterable[str], version: str, *, of_nvidia: bool = False) -> None:
    """Lets only `version` be chosen of all packages from the driver's source, in the distribution's own or NVIDIA's.

    Does nothing for a branch, which is part of the packages' names.

    Raises RigforgeError, with the versions that there are, where the archives do not have it.
    """
    if not _EXACT.fullmatch(version):
        return
    available = [each for each in root.available(packages) if each.flat == of_nvidia]
    fitting = [each for each in available if _upstream(each.version) == version]
    if not fitting:
        raise RigforgeError(
            f"driver.version = {version!r} is not in the stack's archives",
            _what_there_is(available) or "add one that has it",
        )
    for source in sorted({each.source for each in fitting}):
        # With the revision: the other archive may have the same driver in packages of its own.
        revision = min(each.version for each in fitting if each.source == source)
        root.pin(source, f"{revision}*")


def pin_kernel(root: Root, package: str, modules: str) -> None:
    """Lets only that kernel be chosen for which the distribution has built the driver's `modules`.

    `package` is the kernel's metapackage. Raises RigforgeError where the archives no longer have it for that kernel.
    """
    with_them = root.resolve("host", {modules: "driver.version"})
    found = [match[1] for file in with_them if (match := KERNEL.fullmatch(file.name))]
    if len(found) != 1:
        raise RigforgeError(
            f"driver.version: {modules} depends on {' and '.join(found) or 'no kernel'}",
            "name a branch that the distribution has built modules of, and a kernel that it has built them for",
        )
    _check_branch(modules, [file.name for file in with_them], found[0])
    abi = re.match(r"[\d.]+-\d+", found[0])
    versions = sorted({each.version for each in root.available([package])}, key=Version)
    if not abi or not any(version.startswith(f"{abi[0]}.") for version in versions):
        there = " and ".join(versions) or "none"
        raise RigforgeError(
            f"{modules} has modules for kernel {found[0]}, but of {package} there is {there}",
            "until the archive has both, name an earlier `snapshot` of it in the stack's [[archives]], "
            "or another branch in driver.version",
        )
    root.pin_package(package, f"{abi[0]}.*")


def _check_branch(modules: str, names: Iterable[str], release: str) -> None:
    """Checks that `modules` leads to its own branch: where one has ended, its package depends on a later one's."""
    exact = [name.removesuffix(release) for name in names if name.startswith("linux-modules-nvidia-")]
    branches = [name for name in exact if name.endswith("-") and not modules.startswith(name)]
    if branches:
        now = branches[0].removeprefix("linux-modules-nvidia-").removesuffix("-")
        raise RigforgeError(
            f"driver.version: in the archive {modules} has become a package of branch {now}",
            f'set driver.version to "{now}"',
        )


def driver_version(packages: Iterable[str], resolved: Mapping[str, str]) -> str:
    """Returns the driver's version among resolved packages (name to version): the one that most of `packages` have.

    The others (persistenced, modprobe) have versions of their own. Empty where none of them is there.
    """
    versions = Counter(_upstream(resolved[name]) for name in packages if name in resolved)
    return versions.most_common(1)[0][0] if versions else ""


def _upstream(version: str) -> str:
    """Returns a package's version without the distribution's epoch and revision."""
    return str(Version(version).upstream_version)


def _what_there_is(available: Iterable[Available]) -> str:
    sources = Counter(source for source, _ in {(each.source, each.name) for each in available})
    if not sources:
        return ""
    driver = sources.most_common(1)[0][0]
    versions = sorted({each.version for each in available if each.source == driver}, key=Version, reverse=True)
    return f"they have {' and '.join(dict.fromkeys(map(_upstream, versions)))} ({driver})"
