"""What is different between two locks, of one stack or of two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from debian.debian_support import Version as DebVersion
from packaging.version import Version as WheelVersion
from rattler import Version as CondaVersion

from rigforge.lock.model import Lock
from rigforge.records.file import LAYERS, LockedFile

#: In the order of the notes. `replaced` is a package of the same version whose file is another.
KINDS = ("updated", "downgraded", "replaced", "added", "removed")
Kind = Literal["updated", "downgraded", "replaced", "added", "removed"]

#: Versions that go together. The kernel module is compiled for one kernel with one driver, and the machine holds
#: both; PyTorch's wheels ask for exactly the CUDA and cuDNN that they were built with.
PAIRS = (("kernel", "kernel_package_version", "driver"), ("pytorch", "cuda", "cudnn"))

_ORDERED: dict[str, Callable[[str], Any]] = {
    "deb": DebVersion,
    "wheel": WheelVersion,
    "conda": CondaVersion,
    "iso": WheelVersion,
}


@dataclass(frozen=True)
class Move:
    """What was one thing in the old lock and is another in the new one, or the same; "" where one has none."""

    name: str
    old: str
    new: str

    @property
    def changed(self) -> bool:
        return self.old != self.new


@dataclass(frozen=True)
class PackageChange:
    """One package of a layer; `old` and `new` are versions, "" where a lock does not have it in this layer.

    `other_layers` are those that an added package was in before, or that a removed one is in now. `security` marks
    an update that comes from a security archive, see `security_roles`.
    """

    package: str
    format: str
    kind: Kind
    old: str
    new: str
    security: bool
    other_layers: tuple[str, ...]


@dataclass(frozen=True)
class LayerChange:
    """One layer of the locks: its packages that changed, and the size of all its files in bytes."""

    layer: str
    old_bytes: int
    new_bytes: int
    packages: tuple[PackageChange, ...]


@dataclass(frozen=True)
class Difference:
    """What is different between an old and a new lock; sizes in bytes, each file counted once.

    `versions` and `archives` (Date of the Release file, RFC 5322) also have what stayed the same. `pairs` are those of
    `PAIRS` that moved. `fetched_bytes` is the size of the files that the old lock does not have.
    `mixed_roles` are archive roles whose security updates cannot be told from others.
    """

    equal: bool
    stack: Move
    stack_sha256: Move
    versions: tuple[Move, ...]
    pairs: tuple[tuple[str, ...], ...]
    archives: tuple[Move, ...]
    layers: tuple[LayerChange, ...]
    old_bytes: int
    new_bytes: int
    fetched_bytes: int
    mixed_roles: tuple[str, ...]


def compare(old: Lock, new: Lock) -> Difference:
    """Returns what is different in `new`."""
    versions = _moves(old.versions, new.versions)
    moved = {version.name for version in versions if version.changed}
    had, has = _contents(old.files), _contents(new.files)
    return Difference(
        equal=old == new,
        stack=Move("stack", old.stack, new.stack),
        stack_sha256=Move("stack_sha256", old.stack_sha256, new.stack_sha256),
        versions=versions,
        pairs=tuple(pair for pair in PAIRS if moved & {*pair} and {*pair} <= {*new.versions}),
        archives=_moves(_dates(old), _dates(new)),
        layers=tuple(_layer(name, old, new) for name in LAYERS if old.part(name) or new.part(name)),
        old_bytes=sum(had.values()),
        new_bytes=sum(has.values()),
        fetched_bytes=sum(size for sha256, size in has.items() if sha256 not in had),
        mixed_roles=tuple(sorted(_roles_with_security(new) - security_roles(new))),
    )


def security_roles(lock: Lock) -> set[str]:
    """Returns the roles of archives that have nothing but security updates: all their suites are called `…-security`.

    A locked file names its archive by the role alone. Debian's security archive has one of its own; Ubuntu's suite
    noble-security is in the archive of all others, so there a file does not tell. Nor does it once a point
    release of Debian has taken an update over into its main archive.
    """
    others = {archive.role for archive in lock.archives if not archive.suite.endswith("-security")}
    return _roles_with_security(lock) - others


def _roles_with_security(lock: Lock) -> set[str]:
    return {archive.role for archive in lock.archives if archive.suite.endswith("-security")}


def _layer(name: str, old: Lock, new: Lock) -> LayerChange:
    before, after = _named(old.part(name)), _named(new.part(name))
    security = security_roles(new)
    changes = [
        _change(was, now, old, new, security)
        for key in before.keys() | after.keys()
        if _sha256(was := before.get(key)) != _sha256(now := after.get(key))
    ]
    changes.sort(key=lambda change: (KINDS.index(change.kind), change.format, change.package))
    return LayerChange(name, _size(old.part(name)), _size(new.part(name)), tuple(changes))


def _change(was: LockedFile | None, now: LockedFile | None, old: Lock, new: Lock, security: set[str]) -> PackageChange:
    some = now or was
    assert some
    kind = _kind(was, now)
    others: set[str] = set()
    if kind == "added":
        others = _layers_with(some, old) - _layers_with(some, new)
    elif kind == "removed":
        others = _layers_with(some, new) - _layers_with(some, old)
    return PackageChange(
        package=some.name,
        format=some.kind,
        kind=kind,
        old=was.version if was else "",
        new=now.version if now else "",
        security=kind == "updated" and some.file.partition(":")[0] in security,
        other_layers=tuple(sorted(others, key=LAYERS.index)),
    )


def _kind(was: LockedFile | None, now: LockedFile | None) -> Kind:
    if not was:
        return "added"
    if not now:
        return "removed"
    if was.version == now.version:
        return "replaced"
    ordered = _ORDERED[now.kind]
    return "updated" if ordered(was.version) <= ordered(now.version) else "downgraded"


def _layers_with(package: LockedFile, lock: Lock) -> set[str]:
    return {file.layer for file in lock.files if (file.kind, file.name) == (package.kind, package.name)}


def _named(files: Iterable[LockedFile]) -> dict[tuple[str, str, str], LockedFile]:
    """Returns the files by format, name and environment; the solvers choose one version for a layer."""
    return {(file.kind, file.name, file.environment): file for file in files}


def _moves(old: dict[str, str], new: dict[str, str]) -> tuple[Move, ...]:
    return tuple(Move(name, old.get(name, ""), new.get(name, "")) for name in sorted(old.keys() | new.keys()))


def _dates(lock: Lock) -> dict[str, str]:
    return {f"{archive.role} {archive.suite}": archive.date for archive in lock.archives}


def _contents(files: Iterable[LockedFile]) -> dict[str, int]:
    return {file.sha256: file.size for file in files}


def _size(files: Iterable[LockedFile]) -> int:
    return sum(file.size for file in files)


def _sha256(file: LockedFile | None) -> str:
    return file.sha256 if file else ""
