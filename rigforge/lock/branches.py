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
    own = {each for each in root.available(names) if not each.flat}
    return sorted(own, key=lambda each: order(each.version), reverse=True)


def newest(root: Root, names: Iterable[str]) -> dict[str, Available]:
    """Returns the newest version of each package that the distribution's own archives have, by name."""
    return {each.name: each for each in reversed(offered(root, names))}


def driver_of(package: Available) -> str:
    """Returns the driver's version that modules are of, by what they need of user space; "" where they do not say."""
    found = (need for need in needs(package.depends) if need.name.startswith("nvidia-kernel-common-"))
    return next((need.version for need in found if need.relation == ">="), "")


def later_branch(package: Available) -> str:
    """Returns the branch that a package of an ended one leads to; "" for a package that stands for itself."""
    own = _OF_BRANCH.fullmatch(package.name)
    for need in needs(package.depends) if own else ():
        other = _OF_BRANCH.fullmatch(need.name)
        if own and other and other["stem"] == own["stem"] and other["branch"] != own["branch"]:
            return other["branch"]
    return ""


def there_are(stack: Stack, root: Root, kernel: str) -> str:
    """Returns, in words, the branches with modules for a flavour of the kernel, and those that drive all the cards."""
    branches = []
    for name in root.names("linux-modules-nvidia-"):
        if not (found := modules_of(name)) or found.kernel != kernel:
            continue
        parts = [name, f"nvidia-utils-{found.branch.removesuffix('-open')}"]
        packages = newest(root, parts)
        if len(packages) == len(parts) and not any(map(later_branch, packages.values())):
            branches.append(found.branch)
    if not branches:
        return f"there is no branch with modules for the kernel {kernel}"
    text = f"branches with modules for the kernel {kernel}: {', '.join(branches)}"
    if not stack.gpu.models:
        return text
    driving = " or ".join(branch for branch in branches if _drives(stack, branch))
    return f"{text}; " + (f"all cards of [gpu] work with {driving}" if driving else "none drives all cards of [gpu]")


def no_modules(stack: Stack, root: Root, asked: Modules) -> RigforgeError:
    """Returns the error of a branch that the archives have no modules of, with those that they have."""
    restricted, multiverse = without(stack, "restricted"), without(stack, "multiverse")
    if restricted and not root.names("linux-modules-nvidia-"):
        return RigforgeError(
            f"{key(stack)}: Ubuntu has NVIDIA's driver in the component restricted, and the [[archives]] "
            f"{restricted} are without it",
            'add "restricted" to their components',
        )
    elsewhere = [
        found.kernel
        for name in root.names(f"linux-modules-nvidia-{asked.branch}-")
        if (found := modules_of(name)) and found.branch == asked.branch and not found.exact
    ]
    but = f"; it has some for {' and '.join(elsewhere)}" if elsewhere else ""
    return RigforgeError(
        f"{key(stack)}: the archives have no modules of it for the kernel {asked.kernel} (no {asked.package}){but}",
        there_are(stack, root, asked.kernel)
        + (f"; some have theirs in the component multiverse, which {multiverse} are without" if multiverse else ""),
    )


def ended(stack: Stack, root: Root, asked: Modules, later: str) -> RigforgeError:
    """Returns the error of a branch whose packages lead to a `later` one, with that and the others that there are."""
    if not later.endswith("-open") and asked.branch.endswith("-open"):
        later = f"{later}-open"
    further = offered(root, [f"linux-modules-nvidia-{later}-{asked.kernel}"])
    if further and (beyond := later_branch(further[0])):
        return ended(stack, root, asked, beyond)
    return RigforgeError(
        f"{key(stack)}: the branch has ended, in the archive its packages lead to {later}",
        f'set driver.version to "{later}"; {there_are(stack, root, asked.kernel)}',
    )


def key(stack: Stack) -> str:
    """Returns file and key of the branch, as messages begin with them."""
    return f'{shown(stack.path)}: [driver] version = "{stack.driver.version}"'


def without(stack: Stack, component: str) -> str:
    """Returns, in words, the distribution's archives that the stack names without a component; "" where none is."""
    archives = distributions.of(stack).archives
    return " and ".join(each.suite for each in archives if component not in each.components)


def _drives(stack: Stack, branch: str) -> bool:
    row = tables().branch_of(branch.partition("-")[0])
    if not row:
        return False
    driver = Driver(row, row.latest, "open" if branch.endswith("-open") else "proprietary")
    return not any(driver_with_gpu(tables(), driver, find(model)) for model in stack.gpu.models)
