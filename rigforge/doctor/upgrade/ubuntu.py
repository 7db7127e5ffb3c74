"""Ubuntu: Canonical builds and signs the driver's module for each of its kernels, some days after the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rigforge.doctor.kernels import flavour, order
from rigforge.doctor.upgrade.packages import OfferedPackage
from rigforge.doctor.upgrade.pair import MODULE, PackagedSystem, Pair, PairOffer, newest_kernel

#: A package that has its branch in its name: of the modules before the kernel, of user space at the end.
_BRANCH = re.compile(
    r"(?P<stem>linux-modules-nvidia|(lib)?nvidia-[a-z0-9-]+?)-(?P<branch>\d{3}(-server)?(-open)?)(?![.\w])"
)


def offered(system: PackagedSystem) -> PairOffer:
    """Returns the newest kernel that has a prebuilt module, the driver it is of, and whether the rest is offered."""
    here, installed = system.pair, system.packages.installed
    branch = next(match["branch"] for name in installed if (match := MODULE.fullmatch(name)) and match["branch"])
    metapackages = system.metapackages or (f"linux-image-{flavour(here.kernel)}",)
    flavours = {re.sub("^linux-image-", "", name) for name in metapackages}
    leaders = [f"linux-modules-nvidia-{branch}-{each}" for each in sorted(flavours)]
    own_module = f"linux-modules-nvidia-{branch}-{here.kernel}"
    offers = dict(system.packages.offered([*metapackages, *leaders, *system.user_space, own_module]))
    newest, leading = newest_kernel(system, offers, metapackages)

    leader = next((package for name in leaders if (package := offers[name].candidate)), None)
    user_space = [offers[name].versions[0] for name in system.user_space if offers[name].versions]
    if later := _later_branch([leader, *user_space] if leader else user_space):
        ended = f"branch {branch} has ended, in the archive its packages lead to {later}: that takes a new installation"
        if newest == here.kernel:
            return PairOffer(here, notes=(ended,))
        return PairOffer(_kernel_alone(system, newest), why_not=(ended,))
    kernel_match = re.search(rf"linux-modules-nvidia-{branch}-(\d\S*)", leader.depends if leader else "")
    kernel = kernel_match[1] if kernel_match and order(kernel_match[1]) > order(here.kernel) else here.kernel
    module_name, image_name = f"linux-modules-nvidia-{branch}-{kernel}", f"linux-image-{kernel}"
    offers |= system.packages.offered([module_name, image_name])
    module, image = offers[module_name].candidate, offers[image_name].candidate
    version = (_driver_of(module) if module else "") or here.driver
    pair = Pair(kernel, image.version if image else here.kernel_version, version)
    behind = f"kernel {newest} is offered, but no module of {branch} for it yet" if newest != kernel else ""
    if pair == here:
        return PairOffer(_kernel_alone(system, newest), why_not=(behind,)) if behind else PairOffer(pair)

    why_not = []
    install = {package.name: package.version for package in (module, image, leader) if package}
    install |= leading if newest == kernel else {}
    if kernel != here.kernel and not image:
        why_not.append(f"there is a module for kernel {kernel}, but {image_name} is not offered")
    remove, no_fallback, kernels = [], "", [kernel]
    if version != here.driver:
        for name in system.user_space:
            fitting = next((each for each in offers[name].versions if each.upstream == version), None)
            if fitting:
                install[name] = fitting.version
            elif offers[name].versions:
                offered_version = offers[name].versions[0].upstream
                why_not.append(
                    f"the module for kernel {kernel} is of driver {version}, {name} is offered in {offered_version}"
                )
    if version != here.driver and kernel != here.kernel:
        own = offers[own_module].candidate
        if own and _driver_of(own) == version:
            install[own_module] = own.version
            kernels.append(here.kernel)
        else:
            no_fallback = f"the archive has no module of driver {version} for kernel {here.kernel}"
            remove = [own_module] if own_module in installed else []
    return PairOffer(
        pair=pair,
        install={name: new for name, new in install.items() if name not in installed or installed[name].version != new},
        remove=tuple(remove),
        kernels=tuple(kernels),
        why_not=tuple(why_not),
        no_fallback=no_fallback,
        notes=(behind,) if behind else (),
    )


def _kernel_alone(system: PackagedSystem, kernel: str) -> Pair:
    """Returns a kernel that is offered without a module, beside the present driver."""
    image = system.packages.offered([f"linux-image-{kernel}"])[f"linux-image-{kernel}"].candidate
    return Pair(kernel, image.version if image else "", system.pair.driver)


def _later_branch(packages: Iterable[OfferedPackage]) -> str:
    """Returns the branch that packages of an ended one lead to; "" where they stand for themselves.

    >>> _later_branch([Package("nvidia-utils-570-server", "570.211.01-0ubuntu1", depends="nvidia-utils-580-server")])
    '580-server'
    """
    for package in packages:
        own = _BRANCH.match(package.name)
        for need in re.split(r"[,|]\s*", package.depends) if own else ():
            other = _BRANCH.match(need)
            if own and other and other["stem"] == own["stem"] and other["branch"] != own["branch"]:
                return other["branch"]
    return ""


def _driver_of(module: OfferedPackage) -> str:
    """Returns the driver's version that a package of the module goes with.

    >>> depends = "nvidia-kernel-common-580 (<= 580.95.05-1), nvidia-kernel-common-580 (>= 580.95.05)"
    >>> _driver_of(Package("linux-modules-nvidia-580-6.8.0-90-generic", "6.8.0-90.91+1", depends=depends))
    '580.95.05'
    """
    match = re.search(r"nvidia-kernel-common-\S+ \(>= ([\d.]+)\)", module.depends)
    return match[1] if match else ""
