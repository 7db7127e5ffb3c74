"""Debian: the driver's module comes as source, and is compiled here for each kernel that is to have it."""

from __future__ import annotations

from rigforge.doctor.kernels import flavour
from rigforge.doctor.upgrade.packages import Offered
from rigforge.doctor.upgrade.pair import PackagedSystem, Pair, PairOffer, newest_kernel

#: What compiles the module; the second is the open one.
COMPILERS = ("nvidia-kernel-dkms", "nvidia-open-kernel-dkms")


def offered(system: PackagedSystem) -> PairOffer:
    """Returns the newest kernel and driver that the archives have, and whether one can be compiled for the other."""
    here, installed = system.pair, system.packages.installed
    metapackages = system.metapackages or (f"linux-image-{flavour(here.kernel)}",)
    offers = dict(system.packages.offered([*metapackages, *system.user_space, *COMPILERS]))
    kernel, leading = newest_kernel(system, offers, metapackages)
    offers |= system.packages.offered(
        [f"linux-{part}-{k}" for part in ("image", "headers") for k in (kernel, here.kernel)]
    )
    image = offers[f"linux-image-{kernel}"].candidate
    drivers = [candidate for name in system.user_space if (candidate := offers[name].candidate)]
    versions = sorted({package.upstream for package in drivers})
    version = versions[-1] if versions else here.driver
    pair = Pair(kernel, image.version if image else here.kernel_version, version)
    if pair == here:
        return PairOffer(pair)

    why_not = []
    install = {f"linux-image-{kernel}": pair.kernel_version, **leading}
    if len(versions) > 1:
        why_not.append(f"the driver's packages are offered in versions that do not fit: {', '.join(versions)}")
    kernels, remove, no_fallback = [kernel], [], ""
    if version != here.driver:
        install |= {package.name: package.version for package in drivers}
        remove = [package.name for package in system.modules.values()]
        if kernel != here.kernel:
            kernels.append(here.kernel)
    elif kernel == here.kernel and kernel in system.modules:
        remove = [system.modules[kernel].name]  # it is for exactly the package that is replaced
    for each, kernel_version in zip(kernels, (pair.kernel_version, here.kernel_version), strict=False):
        headers = f"linux-headers-{each}"
        if offers[headers].of(kernel_version):
            install[headers] = kernel_version
        elif headers not in installed or installed[headers].version != kernel_version:
            trouble = (
                f"{headers} is not offered in version {kernel_version}, so there is nothing to compile the module with"
            )
            if each == kernel:
                why_not.append(trouble)
            else:
                no_fallback = trouble
    if no_fallback:
        kernels.remove(here.kernel)

    compiler = next((name for name in COMPILERS if name in installed), COMPILERS[0])
    if source := _of_upstream(offers[compiler], version):
        install[compiler] = source
    elif compiler not in installed or installed[compiler].upstream != version:
        why_not.append(f"{compiler} is not offered in version {version}, so there is no module to compile")
    return PairOffer(
        pair=pair,
        install={name: new for name, new in install.items() if name not in installed or installed[name].version != new},
        remove=tuple(remove),
        kernels=tuple(kernels),
        compiler=compiler,
        why_not=tuple(why_not),
        no_fallback=no_fallback,
    )


def _of_upstream(offered: Offered, upstream: str) -> str:
    packages = [offered.candidate, *offered.versions]
    return next((package.version for package in packages if package and package.upstream == upstream), "")
