"""The chain of versions, from the kernel up to JupyterLab, each with the reasons why it is this one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from rigforge import distributions
from rigforge.compat.cuda import OLDEST_DRIVER, major
from rigforge.lock import conda
from rigforge.lock.model import Lock
from rigforge.lock.wheels import COMPONENTS
from rigforge.records.file import LockedFile
from rigforge.release_notes.notes import TITLES
from rigforge.stack.load import read_toml
from rigforge.stack.model import Stack

#: Bottom first: each stands on those before it. The keys are those of a lock's versions.
ORDER = ("kernel", "driver", "cuda", "cudnn", "pytorch", "python", "jupyterlab")

#: Where a stack file names what it wants of each.
WISHES = {
    "kernel": ("kernel", "package"),
    "driver": ("driver", "version"),
    "cuda": ("cuda", "version"),
    "cudnn": ("cudnn", "version"),
    "pytorch": ("pytorch", "version"),
    "python": ("python", "version"),
    "jupyterlab": ("python", "packages"),
}


@dataclass(frozen=True)
class Link:
    """One component of the chain: what people call it, its locked version, and why it is that one."""

    name: str
    version: str
    reasons: tuple[str, ...]


def chain(stack: Stack, lock: Lock) -> tuple[Link, ...]:
    """Returns the components that a lock has, bottom first."""
    return tuple(
        Link(TITLES[component], lock.versions[component], _reasons(component, stack, lock))
        for component in ORDER
        if component in lock.versions
    )


def _reasons(component: str, stack: Stack, lock: Lock) -> tuple[str, ...]:
    """What is known of why a component has its version: the wish, what it has to go with, the archive it is from."""
    reasons = (_wish(component, stack), *_goes_with(component, lock), _origin(component, stack, lock))
    return tuple(filter(None, reasons))


def _wish(component: str, stack: Stack) -> str:
    """The line of the stack's file, or of the nearest one it extends, that asks for the component."""
    section, key = WISHES[component]
    for file in stack.files:
        value = read_toml(file).get(section, {}).get(key)
        if isinstance(value, str) and value:
            return f'asked for in {file.name}: [{section}] {key} = "{value}"'
        for wish in value if isinstance(value, list) else ():
            if wish != "..." and canonicalize_name(Requirement(wish).name) == component:
                return f'asked for in {file.name}: [{section}] {key} has "{wish}"'
    return "no stack file asks for a version"


def _goes_with(component: str, lock: Lock) -> tuple[str, ...]:
    versions = lock.versions
    if component == "driver" and lock.part("module"):
        return (f"its module is compiled for exactly kernel {versions['kernel']}",)
    if component == "cuda":
        return tuple(filter(None, (_oldest_driver(versions),)))
    if component == "cudnn":
        return ("PyTorch's wheels ask for exactly this cuDNN",)
    if component == "pytorch":
        return (f"its wheels ask for exactly CUDA {versions['cuda']}",) if "cuda" in versions else ()
    return ()


def _oldest_driver(versions: dict[str, str]) -> str:
    number = major(versions["cuda"])
    if number not in OLDEST_DRIVER:
        return ""
    oldest = OLDEST_DRIVER[number]
    rule = f"any CUDA {number} needs driver {oldest} or later (NVIDIA, CUDA Compatibility)"
    if "driver" not in versions:
        return rule
    fits = Version(versions["driver"]) >= Version(oldest)
    return f"{rule}: {versions['driver']} {'will do' if fits else 'is too old'}"


def _origin(component: str, stack: Stack, lock: Lock) -> str:
    """The archive and the packages that the component comes in."""
    files = _files(component, stack, lock)
    if not files:
        return ""
    role, names = files[0].file.partition(":")[0], [file.name for file in files]
    return f"from the archive {role}: {', '.join(names)} {files[0].version}"


def _files(component: str, stack: Stack, lock: Lock) -> list[LockedFile]:
    """The files of the lock that have the component's version."""
    version = lock.versions[component]
    if component in conda.COMPONENTS and (packages := _named(lock, "conda", conda.COMPONENTS[component])):
        return [file for file in packages if file.version == version]
    if component in COMPONENTS:
        return _named(lock, "wheel", COMPONENTS[component])
    if component == "kernel":
        return _named(lock, "deb", re.escape(f"linux-image-{version}"))
    if component == "python":
        return _named(lock, "deb", re.escape(f"python{stack.python.version}"))
    names = "|".join(map(re.escape, distributions.of(stack).driver.user_space))
    return [file for file in _named(lock, "deb", names) if file.layer == "host" and version in file.version]


def _named(lock: Lock, kind: str, pattern: str) -> list[LockedFile]:
    return [file for file in lock.files if file.kind == kind and re.fullmatch(pattern, file.name)]
