"""Ubuntu's archive, as far as a stack asks for it: its layout, and packages named and related as the real ones."""

from __future__ import annotations

from pathlib import Path

from rigforge.distributions import ubuntu
from rigforge.stack.model import Stack
from tests.sources.signed_archive import Key, SignedArchive

#: Release: number of the release in versions, C library, Python, kernel.
RELEASES = {
    "jammy": ("22.04", "2.35-0ubuntu3.13", "3.10.12-1~22.04.12", "5.15.0"),
    "noble": ("24.04", "2.39-0ubuntu8.7", "3.12.3-1ubuntu0.9", "6.8.0"),
    "resolute": ("26.04", "2.43-1ubuntu2", "3.14.2-1ubuntu1", "7.0.0"),
}
DRIVERS = {"580": "580.178.04", "595": "595.91.07"}


class Ubuntu:
    """One release, in its pockets: what it was released with, its updates, its security updates."""

    def __init__(self, path: Path, suite: str) -> None:
        self.archive, self.suite = SignedArchive(path), suite
        self.number, self.glibc, self.python, self.kernel_version = RELEASES[suite]

    def release(self, stack: Stack) -> None:
        """Puts in everything that a stack names, but kernel and driver."""
        add, suite = self.archive.add, self.suite
        series = ".".join(self.python.split(".")[:2])
        add(suite, "libc6", self.glibc)
        add(suite, "bash", "5.2.21-2ubuntu4", Essential="yes", Priority="required", Depends="libc6")
        add(suite, "apt", "2.8.3", Depends="libc6")
        add(suite, "python3", f"{series}.0-0ubuntu2", Depends=f"python{series}")
        add(suite, f"python{series}", self.python)
        add(suite, f"libpython{series}", self.python)
        add(suite, "binutils", "2.42-4ubuntu2.6")
        named = {*stack.packages.base, *stack.packages.devel, *stack.packages.host, *ubuntu.medium_packages(stack)}
        universe = {"docker.io", "htop", "nvme-cli", "ninja-build", "smartmontools", "tmux"}
        for name in sorted(named - {"python3"}):
            component = "universe" if name in universe else "main"
            add(suite, name, "1.0-0ubuntu1", component=component)
        self._loaders()
        add(suite, "placeholder", component="multiverse")
        add(suite, "placeholder-restricted", component="restricted")

    def _loaders(self) -> None:
        """Adds the boot loaders, as grub2, grub2-unsigned, grub2-signed, shim and shim-signed have them."""
        add, suite = self.archive.add, self.suite
        for library in ("gettext-base", "libefivar1", "libfreetype6", "libfuse3-3", "libpng16-16", "mokutil"):
            add(suite, library)
        add(suite, "grub-common", "2.12-1ubuntu7", Source="grub2", Depends="gettext-base, libfreetype6, libfuse3-3")
        add(suite, "grub2-common", "2.12-1ubuntu7", Source="grub2", Depends="grub-common (= 2.12-1ubuntu7), libefivar1")
        add(suite, "grub-pc-bin", "2.12-1ubuntu7", Source="grub2", Depends="grub-common (= 2.12-1ubuntu7)")
        pc = "grub2-common (= 2.12-1ubuntu7), grub-pc-bin (= 2.12-1ubuntu7)"
        add(suite, "grub-pc", "2.12-1ubuntu7", Source="grub2", Depends=pc, Conflicts="grub-efi-amd64")
        efi = {"Source": "grub2-unsigned", "Depends": "grub2-common (>= 2.02)"}
        add(suite, "grub-efi-amd64-bin", "2.12-1ubuntu7", **efi)
        efi |= {"Depends": "grub2-common, grub-efi-amd64-bin (= 2.12-1ubuntu7)", "Conflicts": "grub-pc"}
        add(suite, "grub-efi-amd64", "2.12-1ubuntu7", **efi)
        add(suite, "grub-efi-amd64-signed", "1.202+2.12-1ubuntu7", Source="grub2-signed", Depends="grub-efi-amd64")
        add(suite, "shim-signed", "1.58+15.8-0ubuntu1", Depends="grub-efi-amd64-signed, mokutil, libpng16-16")

    def kernel(self, abi: int, pocket: str = "updates") -> None:
        """Adds a kernel and its metapackage, as linux and linux-meta have them."""
        version, name = f"{self.kernel_version}-{abi}.{abi + 1}", f"{self.kernel_version}-{abi}-generic"
        suite = f"{self.suite}-{pocket}"
        self.archive.add(suite, f"linux-modules-{name}", version)
        self.archive.add(suite, f"linux-image-{name}", version, Depends=f"linux-modules-{name}")
        self.archive.add(suite, "linux-image-generic", version, Depends=f"linux-image-{name}")

    def driver(self, branch: str, *, pocket: str = "updates", version: str = "") -> None:
        """Adds the user space of a driver, as nvidia-graphics-drivers-NNN-server has it."""
        number = branch.partition("-")[0]
        version = f"{version or DRIVERS[number]}-0ubuntu0.{self.number}.1"
        suite, built = f"{self.suite}-{pocket}", {"Source": f"nvidia-graphics-drivers-{branch}"}
        add = self.archive.add
        add(suite, f"libnvidia-cfg1-{branch}", version, component="restricted", **built)
        add(suite, f"libnvidia-compute-{branch}", version, component="restricted", **built)
        add(suite, f"nvidia-firmware-{branch}-{version.partition('-')[0]}", version, component="restricted", **built)
        add(
            suite,
            f"nvidia-kernel-common-{branch}",
            version,
            component="restricted",
            Depends=f"nvidia-firmware-{branch}-{version.partition('-')[0]} (= {version})",
            **built,
        )
        for name in (f"nvidia-compute-utils-{branch}", f"nvidia-utils-{branch}"):
            depends = f"libnvidia-compute-{branch} (= {version})"
            add(suite, name, version, component="restricted", Depends=depends, **built)

    def modules(self, branch: str, abi: int, *, pocket: str = "updates", version: str = "") -> None:
        """Adds Canonical's signed modules for one kernel, as linux-restricted-modules has them.

        `branch` is of the module, as "580-server-open"; user space of "580-server" goes with it.
        """
        kernel, user_space = f"{self.kernel_version}-{abi}", branch.removesuffix("-open")
        number = version or DRIVERS[branch.partition("-")[0]]
        suite, made = f"{self.suite}-{pocket}", f"{kernel}.{abi + 1}+1"
        exact = f"linux-modules-nvidia-{branch}-{kernel}-generic"
        image = f"linux-image-{kernel}-generic | linux-image-unsigned-{kernel}-generic"
        pair = f"nvidia-kernel-common-{user_space} (<= {number}-1), nvidia-kernel-common-{user_space} (>= {number})"
        source = {"Source": "linux-restricted-modules"}
        self.archive.add(suite, exact, made, component="restricted", Depends=f"{image}, {pair}", **source)
        meta = f"linux-modules-nvidia-{branch}-generic"
        depends = f"{exact} (= {made}), {pair}"
        self.archive.add(suite, meta, made, component="restricted", Depends=depends, **source)

    def ended(self, branch: str, later: str) -> None:
        """Adds the modules' package of a branch that has ended: it depends on that of a later one."""
        name, made = f"linux-modules-nvidia-{branch}-generic", f"{self.kernel_version}-88.89+1"
        depends = f"linux-modules-nvidia-{later}-generic"
        self.archive.add(f"{self.suite}-updates", name, made, component="restricted", Depends=depends)

    def publish(self, key: Key) -> None:
        """Writes the indices of all three pockets."""
        for pocket in ("", "-updates", "-security"):
            for component in ("main", "restricted", "universe", "multiverse"):
                (self.archive.path / "pool" / f"{self.suite}{pocket}" / component).mkdir(parents=True, exist_ok=True)
            self.archive.publish(f"{self.suite}{pocket}", key)
