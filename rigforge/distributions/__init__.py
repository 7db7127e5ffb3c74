"""What differs from one distribution to the next: package names, and how a root is made bootable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rigforge.distributions import debian, ubuntu
from rigforge.errors import RigforgeError

if TYPE_CHECKING:
    from rigforge.compat.tables import Module
    from rigforge.stack.model import Stack
    from rigforge.stack.sections import Archive


class Distribution(Protocol):
    """The package lists of one distribution; each function answers for one stack."""

    def kernel_packages(self, stack: Stack) -> tuple[str, ...]:
        """Returns the kernel's packages."""

    def driver_packages(self, stack: Stack) -> tuple[str, ...]:
        """Returns the user space of the GPU driver (libcuda, NVML, nvidia-smi, firmware)."""

    def module_packages(self, stack: Stack) -> tuple[str, ...]:
        """Returns what compiles the driver's kernel module; none of it reaches the machine."""

    def kernel_module(self, stack: Stack) -> Module:
        """Returns which of the driver's two kernel modules the stack has."""

    def module_support(self, stack: Stack) -> str:
        """Returns the package with what the kernel module needs beside it."""

    def prebuilt_modules(self, stack: Stack) -> str:
        """Returns the package that depends on the distribution's own modules for one kernel; "" where it has none."""

    def medium_packages(self, stack: Stack) -> tuple[str, ...]:
        """Returns boot loaders, live system and the tools that the installer drives."""

    def pool_loaders(self, stack: Stack) -> tuple[tuple[str, ...], ...]:
        """Returns the sets of boot loaders of which the installer takes one from its medium's pool."""

    def mirror(self, archive: Archive) -> str:
        """Returns what cloud-init and curtin put the archive's mirror in for; "" where they know none."""

    def sources_file(self, sources_list: str) -> tuple[str, str]:
        """Returns the file, path and text, from which the installed machine's sources.list is made."""

    def pockets(self) -> tuple[str, ...]:
        """Returns what may follow the release in the name of a suite; () where suites of several may be mixed."""

    def live_server(self, stack: Stack) -> str:
        """Returns the release whose live-server ISO the medium is made from; "" where it is all our own."""


_DISTRIBUTIONS: dict[str, Distribution] = {"debian": debian, "ubuntu": ubuntu}


def of(stack: Stack) -> Distribution:
    """Returns the distribution of a stack. Raises RigforgeError for one that Rigforge does not know."""
    try:
        return _DISTRIBUTIONS[stack.system.distribution]
    except KeyError:
        raise RigforgeError(
            f"stack {stack.name}: [system] distribution = {stack.system.distribution!r} is not known",
            f"distributions that are: {', '.join(sorted(_DISTRIBUTIONS))}",
        ) from None


def own_archives(stack: Stack) -> tuple[Archive, ...]:
    """Returns the stack's archives that cloud-init and curtin know a mirror of."""
    return tuple(archive for archive in stack.archives if of(stack).mirror(archive))


def check_suites(stack: Stack) -> None:
    """Checks that the distribution's own archives are of the stack's release, and of what has been released of it.

    Raises RigforgeError that names the one that is not.
    """
    suites = [f"{stack.system.suite}{pocket}" for pocket in of(stack).pockets()]
    for archive in own_archives(stack) if suites else ():
        if archive.suite not in suites:
            proposed = archive.suite.endswith("-proposed")
            tested = (
                "packages are tested there, and taken away again: a kernel may have no modules, or a driver no kernel"
            )
            other = f'[system] suite is "{stack.system.suite}", and two releases have kernel modules of the same names'
            raise RigforgeError(
                f'{stack.path.name}: [[archives]] suite = "{archive.suite}": {tested if proposed else other}',
                f"suites of {stack.system.suite}: {', '.join(suites)}",
            )


def sources_list(stack: Stack) -> str:
    """Returns the machine's sources.list(5), as cloud-init and curtin take it and fill in mirrors (Apt Configure)."""
    mirror = of(stack).mirror
    return "".join(f"deb {mirror(it)} {it.suite} {' '.join(it.components)}\n" for it in own_archives(stack))
