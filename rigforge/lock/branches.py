"""The branches of the driver that Canonical builds modules of: which there are, and which drive a stack's cards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rigforge import distributions
from rigforge.compat.gpu import find
from rigforge.compat.rules import Driver, driver_with_gpu
from rigforge.compat.tables import tables
from rigforge.errors import RigforgeError
from rigforge.sources.apt import Available, Root
from rigforge.sources.dpkg import needs, order
from rigforge.stack.load import shown
from rigforge.stack.model import Stack

# Modules have their branch before the kernel, user space has it at the end or before the driver's version.
_OF_BRANCH = re.compile(
    r"(?P<stem>linux-modules-nvidia|(lib)?nvidia-[a-z0-9-]+?)-(?P<branch>\d{3}(-server)?(-open)?)(-(?P<rest>.+))?"
)


@dataclass(frozen=True)
class Modules:
    """A package of modules by its name: of one branch, for one kernel ("6.8.0-88-generic") or a flavour ("generic")."""

    package: str
    branch: str
    kernel: str

    @property
    def exact(self) -> bool:
        """Whether it has the modules, for one kernel, and does not only lead to them."""
        return self.kernel[0].isdigit()


def modules_of(package: str) -> Modules | None:
    """Returns what a package of modules is for, by its name; None for any other package."""
    match = _OF_BRANCH.fullmatch(package)
    if not match or match["stem"] != "linux-modules-nvidia" or not match["rest"]:
        return None
    return Modules(package, match["branch"], match["rest"])


def offered(root: Root, names: Iterable[str]) -> list[Available]:
    """Returns the versions that the distribution's own archives have of packages, the newest first.

    NVIDIA's archive has some of the same names.
    """
    packages = {package for package in root.available(names) if not package.flat}
    return sorted(packages, key=lambda package: order(package.version), reverse=True)


def newest(root: Root, names: Iterable[str]) -> dict[str, Available]:
    """Returns the newest version of each package that the distribution's own archives have, by name."""
    return {package.name: package for package in reversed(offered(root, names))}


def driver_of(package: Available) -> str:
    """Returns the driver's version that modules are of, by what they need of user space; "" where they do not say."""
    user_space_needs = (need for need in needs(package.depends) if need.name.startswith("nvidia-kernel-common-"))
    return next((need.version for need in user_space_needs if need.relation == ">="), "")


def later_branch(package: Available) -> str:
    """Returns the branch that a package of an ended one leads to; "" for a package that stands for itself."""
    own_match = _OF_BRANCH.fullmatch(package.name)
    for need in needs(package.depends) if own_match else ():
        other_match = _OF_BRANCH.fullmatch(need.name)
        if (
            own_match
            and other_match
            and other_match["stem"] == own_match["stem"]
            and other_match["branch"] != own_match["branch"]
        ):
            return other_match["branch"]
    return ""


def there_are(stack: Stack, root: Root, kernel: str) -> str:
    """Returns, in words, the branches with modules for a flavour of the kernel, and those that drive all the cards."""
    branches = []
    for name in root.names("linux-modules-nvidia-"):
        if not (modules := modules_of(name)) or modules.kernel != kernel:
            continue
        parts = [name, f"nvidia-utils-{modules.branch.removesuffix('-open')}"]
        packages = newest(root, parts)
        if len(packages) == len(parts) and not any(map(later_branch, packages.values())):
            branches.append(modules.branch)
    if not branches:
        return f"there is no branch with modules for the kernel {kernel}"
    text = f"branches with modules for the kernel {kernel}: {', '.join(branches)}"
    if not stack.gpu.models:
        return text
    choices = " or ".join(branch for branch in branches if _drives(stack, branch))
    return f"{text}; " + (f"all cards of [gpu] work with {choices}" if choices else "none drives all cards of [gpu]")


def no_modules(stack: Stack, root: Root, modules: Modules) -> RigforgeError:
    """Returns the error of a branch that the archives have no modules of, with those that they have."""
    restricted, multiverse = without(stack, "restricted"), without(stack, "multiverse")
    if restricted and not root.names("linux-modules-nvidia-"):
        return RigforgeError(
            f"{key(stack)}: Ubuntu has NVIDIA's driver in the component restricted, and the [[archives]] "
            f"{restricted} are without it",
            'add "restricted" to their components',
        )
    other_kernels = [
        candidate.kernel
        for name in root.names(f"linux-modules-nvidia-{modules.branch}-")
        if (candidate := modules_of(name)) and candidate.branch == modules.branch and not candidate.exact
    ]
    remark = f"; it has some for {' and '.join(other_kernels)}" if other_kernels else ""
    return RigforgeError(
        f"{key(stack)}: the archives have no modules of it for the kernel {modules.kernel} "
        f"(no {modules.package}){remark}",
        there_are(stack, root, modules.kernel)
        + (f"; some have theirs in the component multiverse, which {multiverse} are without" if multiverse else ""),
    )


def ended(stack: Stack, root: Root, modules: Modules, successor: str) -> RigforgeError:
    """Returns the error of a branch whose packages lead to its `successor`, with that and the other branches."""
    if not successor.endswith("-open") and modules.branch.endswith("-open"):
        successor = f"{successor}-open"
    packages = offered(root, [f"linux-modules-nvidia-{successor}-{modules.kernel}"])
    if packages and (next_branch := later_branch(packages[0])):
        return ended(stack, root, modules, next_branch)
    return RigforgeError(
        f"{key(stack)}: the branch has ended, in the archive its packages lead to {successor}",
        f'set driver.version to "{successor}"; {there_are(stack, root, modules.kernel)}',
    )


def key(stack: Stack) -> str:
    """Returns file and key of the branch, as messages begin with them."""
    return f'{shown(stack.path)}: [driver] version = "{stack.driver.version}"'


def without(stack: Stack, component: str) -> str:
    """Returns, in words, the distribution's archives that the stack names without a component; "" where none is."""
    archives = distributions.of(stack).archives
    return " and ".join(archive.suite for archive in archives if component not in archive.components)


def _drives(stack: Stack, branch: str) -> bool:
    row = tables().branch_of(branch.partition("-")[0])
    if not row:
        return False
    driver = Driver(row, row.latest, "open" if branch.endswith("-open") else "proprietary")
    return not any(driver_with_gpu(tables(), driver, find(model)) for model in stack.gpu.models)
