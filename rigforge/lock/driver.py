"""The GPU driver's version: one for module and user space, whatever else the archives have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from debian.debian_support import Version

from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
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
    fitting = [each for each in available if upstream(each.version) == version]
    if not fitting:
        raise RigforgeError(
            f"driver.version = {version!r} is not in the stack's archives",
            _what_there_is(available) or "add one that has it",
        )
    for source in sorted({each.source for each in fitting}):
        # With the revision: the other archive may have the same driver in packages of its own.
        revision = min(each.version for each in fitting if each.source == source)
        root.pin(source, f"{revision}*")


def driver_version(packages: Iterable[str], resolved: Mapping[str, str]) -> str:
    """Returns the driver's version among resolved packages (name to version): the one that most of `packages` have.

    The others (persistenced, modprobe) have versions of their own. Empty where none of them is there.
    """
    versions = Counter(upstream(resolved[name]) for name in packages if name in resolved)
    return versions.most_common(1)[0][0] if versions else ""


def upstream(version: str) -> str:
    """Returns a package's version without the distribution's epoch and revision."""
    with boundary(f"{version!a} is no version of a package"):
        return str(Version(version).upstream_version)


def _what_there_is(available: Iterable[Available]) -> str:
    sources = Counter(source for source, _ in {(each.source, each.name) for each in available})
    if not sources:
        return ""
    driver = sources.most_common(1)[0][0]
    versions = sorted({each.version for each in available if each.source == driver}, key=Version, reverse=True)
    return f"they have {' and '.join(dict.fromkeys(map(upstream, versions)))} ({driver})"
