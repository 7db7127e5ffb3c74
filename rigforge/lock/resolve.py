"""From a stack to its lock: apt, conda's solver and uv resolve, layer on layer."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from email.utils import parsedate_to_datetime

from rigforge import distributions
from rigforge.console import step
from rigforge.distributions.distribution import Distribution
from rigforge.installers import Installer
from rigforge.lock import debs, doctor, driver, platform
from rigforge.lock.conda import conda_versions, resolve_conda, virtual_packages
from rigforge.lock.decision import decide, settle
from rigforge.lock.model import Lock, asked, in_order
from rigforge.lock.replay import refuse_older
from rigforge.lock.toolkit import check_toolkit
from rigforge.lock.wheels import resolve_wheels, wheel_versions
from rigforge.records.conda import ROLE
from rigforge.records.file import LockedFile
from rigforge.sources import apt, live_server
from rigforge.sources.conda import Channel
from rigforge.sources.keyring import checked_keyring
from rigforge.sources.mirrors import Mirrors
from rigforge.sources.pypi import Index
from rigforge.stack.model import Stack

#: The source packages of boot loaders: grub2, grub2-signed, grub2-unsigned, shim, shim-signed.
_OF_LOADERS = re.compile("grub|shim")


def resolve(
    stack: Stack, mirrors: Mirrors, *, previous: Lock | None = None, upgrade: bool = False, forced: str = ""
) -> Lock:
    """Returns the lock of a stack, from what the archives have now.

    A `previous` lock of the same stack, unchanged, keeps its files, and is decided on anew: what is known of
    versions changes too. For a changed stack its
    wheels' versions and its conda packages are kept where they still fit. With `upgrade` it counts for nothing.
    `forced` has the reason to lock what cannot work.

    Raises RigforgeError where an archive cannot be used or is older than in `previous`, or the stack's wishes cannot be
    had together.
    """
    previous_archives = previous.archives if previous and previous.stack == stack.name else ()
    if upgrade or (previous and previous.stack != stack.name):
        previous = None
    stack_sha256 = asked(stack)
    if previous and previous.stack_sha256 == stack_sha256:
        forced = forced or (previous.decision.forced if previous.decision else "")
        return replace(previous, decision=decide(stack, previous.versions, forced))
    distributions.check_suites(stack)
    stack = settle(stack)
    archives = [
        apt.Archive(
            role=archive.mirror,
            url=mirrors.url(archive.mirror),
            place=archive.snapshot or "",
            suite=archive.suite,
            components=archive.components,
            keyring=checked_keyring(stack, archive),
            check_valid_until=archive.check_valid_until,
        )
        for archive in stack.archives
    ]
    distribution = distributions.of(stack)
    with apt.private_root(stack.system.architecture, archives) as root:
        with step(f"reading the package indices of {', '.join(archive.suite for archive in archives)}"):
            states = root.update()
        refuse_older(stack, states, previous_archives)
        with step(f"resolving the packages of {stack.name}"):
            files = _debs(stack, distribution, root)
    check_toolkit(stack, files)
    driver.check(stack, distribution.driver, files)
    versions = _versions(stack, distribution, files)
    if release := distribution.installer.release:
        system = next(archive for archive in stack.archives if archive.suite == stack.system.suite)
        files += (_medium(live_server.newest(mirrors, release, stack.keyring(system))),)
    glibc = platform.glibc(files)
    index = Index(mirrors.url("pypi"), platform.system_python(files), glibc)
    with step("resolving what packs rigforge-doctor"):
        files += doctor.resolve_wheels(index, _wheels(previous, (doctor.LAYER,)), fresh=upgrade)
    if stack.python.provider != "none":
        environment_versions: dict[str, str] = {}
        if stack.python.provider == "conda":
            channel = Channel(ROLE, mirrors.url(ROLE), virtual_packages(stack, versions["kernel"], glibc))
            previous_hashes = {file.sha256 for file in previous.files if file.kind == "conda"} if previous else set()
            with step(f"resolving the conda packages of {stack.name}"):
                packages, environment_versions = resolve_conda(stack, channel, previous_hashes, fresh=upgrade)
            versions |= conda_versions(packages, stack.python.environment)
            files += packages
        else:
            versions["python"] = platform.python(stack, files)
        if stack.python.packages or stack.devel.python_packages or stack.pytorch.provider == "pypi":
            index = Index(mirrors.url("pypi"), stack.python.version, glibc)
            previous_versions = _wheels(previous, ("cuda", "python", "devel"))
            with step(f"resolving the Python packages of {stack.name}"):
                wheels = resolve_wheels(
                    stack, index, previous_versions, environment_versions=environment_versions, fresh=upgrade
                )
            versions |= wheel_versions(wheels)
            files += wheels
    return Lock(
        stack=stack.name,
        stack_sha256=stack_sha256,
        source_date_epoch=max(int(parsedate_to_datetime(state.date).timestamp()) for state in states),
        versions=dict(sorted(versions.items())),
        archives=tuple(sorted(states)),
        files=in_order(files),
        decision=decide(stack, versions, forced),
    )


def _debs(stack: Stack, distribution: Distribution, root: apt.Root) -> tuple[LockedFile, ...]:
    """Resolves each layer on top of those below it.

    `doctor` and `module` are not shipped, so they are not below `host`: what both need is in both.
    """
    packages = distribution.driver
    driver.pin(stack, root, packages)
    base = debs.resolve(
        root,
        "base",
        {**dict.fromkeys(apt.MINIMAL, "the minimal system"), **dict.fromkeys(stack.packages.base, "packages.base")},
    )
    devel = debs.resolve(root, "devel", dict.fromkeys(stack.packages.devel, "packages.devel"), base)
    shipped_files = (*base, *devel)
    wishes = {
        **dict.fromkeys(distribution.installer.packages, "the medium"),
        **dict.fromkeys(
            _below_loaders(distribution.installer, root, shipped_files), "boot loaders of the medium's pool"
        ),
        **dict.fromkeys(packages.user_space, "driver.provider"),
        **dict.fromkeys(stack.packages.host, "packages.host"),
        **dict.fromkeys(
            stack.container_toolkit.packages if stack.container_toolkit else (), "container_toolkit.version"
        ),
        stack.kernel.package: "kernel.package",
    }
    return (
        *shipped_files,
        *doctor.resolve_debs(root, base),
        *debs.resolve(root, "module", dict.fromkeys(packages.compiling, "driver.provider"), shipped_files),
        *debs.resolve(root, "host", wishes, shipped_files),
    )


def _below_loaders(installer: Installer, root: apt.Root, shipped_files: Collection[LockedFile]) -> tuple[str, ...]:
    """Returns what the boot loaders of the medium's pool depend on, but for packages of their own sources."""
    dependencies: set[str] = set()
    for loaders in installer.pool_loaders:
        files = debs.resolve(root, "host", dict.fromkeys(loaders, "the medium's pool"), shipped_files)
        loader_names = {
            package.name for package in root.available(file.name for file in files) if _OF_LOADERS.match(package.source)
        }
        dependencies |= {file.name for file in files} - loader_names
    return tuple(sorted(dependencies))


def _medium(iso: live_server.Iso) -> LockedFile:
    return LockedFile("medium", "iso", "live-server", iso.version, iso.file, iso.size, iso.sha256)


def _wheels(previous: Lock | None, layers: Collection[str]) -> dict[str, str]:
    """Returns the versions, by name, of the wheels that a former lock has in these layers."""
    files = previous.files if previous else ()
    return {file.name: file.version for file in files if file.kind == "wheel" and file.layer in layers}


def _versions(stack: Stack, distribution: Distribution, files: Iterable[LockedFile]) -> dict[str, str]:
    host = {file.name: file.version for file in files if file.layer == "host"}
    version = driver.driver_version(distribution.driver.user_space, host)
    return {
        "kernel": platform.kernel(stack, files),
        "kernel_package_version": host[stack.kernel.package],
        **({"driver": version} if version else {}),
    }
