"""Ubuntu's archive, as far as a stack asks for it: its layout, and packages named and related as the real ones.

What the packages of kernel and driver say of themselves is in ubuntu_control, from their public control files.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from debian.deb822 import Deb822

from rigforge import distributions
from rigforge.stack.model import Stack
from tests.sources.signed_archive import Key

#: Release: number of the release in versions, C library, Python, kernel.
RELEASES = {
    "jammy": ("22.04", "2.35-0ubuntu3.13", "3.10.12-1~22.04.12", "5.15.0"),
    "noble": ("24.04", "2.39-0ubuntu8.7", "3.12.3-1ubuntu0.9", "6.8.0"),
    "resolute": ("26.04", "2.43-1ubuntu2", "3.14.2-1ubuntu1", "7.0.0"),
}
DRIVERS = {"580": "580.178.04", "595": "595.91.07"}
POCKETS = ("", "-updates", "-security")
COMPONENTS = ("main", "restricted", "universe", "multiverse")

_CONTROL = Path(__file__).parent / "ubuntu_control"


class Archive:
    """A signed archive of indices, whose packages are files of a few bytes: enough for what resolves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._indices: dict[tuple[str, str], dict[str, Deb822]] = defaultdict(dict)

    def add(
        self, suite: str, name: str, version: str = "1.0-0ubuntu1", *, component: str = "main", **fields: str
    ) -> None:
        """Puts a package into a suite; `fields` are further ones of its control file (`_` for `-`)."""
        content = f"{name} {version} of {suite}".encode()
        place = f"pool/{suite}/{component}/{name}_{version}_amd64.deb"
        file = self.path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        stanza = {"Package": name, "Version": version, "Architecture": "amd64", "Priority": "optional"}
        stanza |= {field.replace("_", "-"): value for field, value in fields.items()}
        stanza |= {"Filename": place, "Size": str(len(content)), "SHA256": hashlib.sha256(content).hexdigest()}
        self._indices[suite, component][f"{name} {version}"] = Deb822(stanza)

    def drop(self, suite: str, name: str, version: str) -> None:
        """Takes a package out of a suite, as an archive does with what has been replaced."""
        for component in COMPONENTS:
            self._indices[suite, component].pop(f"{name} {version}", None)

    def publish(self, suite: str, key: Key) -> None:
        """Writes a suite's indices and its Release file, signed."""
        dist = self.path / "dists" / suite
        sums = []
        for component in COMPONENTS:
            index = dist / component / "binary-amd64/Packages"
            index.parent.mkdir(parents=True, exist_ok=True)
            index.write_text("\n".join(map(str, self._indices[suite, component].values())))
            content = index.read_bytes()
            sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {index.relative_to(dist)}")
        head = {
            "Suite": suite,
            "Codename": suite.partition("-")[0],
            "Date": format_datetime(datetime.now(UTC), usegmt=True),
        }
        head |= {"Architectures": "amd64", "Components": " ".join(COMPONENTS)}
        lines = [*(f"{field}: {value}" for field, value in head.items()), "SHA256:", *sums, ""]
        (dist / "Release").write_text("\n".join(lines))
        key.sign(dist / "Release")


def packages(control: str, **values: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yields the packages of a file in ubuntu_control: name, version and further fields.

    `values` come in the place of {names}. What has no version and source there is a driver's.
    """
    text = (_CONTROL / f"{control}.control").read_text().format(**values)
    for stanza in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        fields = {"Source": f"nvidia-graphics-drivers-{values.get('branch')}", **stanza}
        yield fields.pop("Package"), fields.pop("Version", values["version"]), fields


class Ubuntu:
    """One release, in its pockets: what it was released with, its updates, its security updates."""

    def __init__(self, path: Path, suite: str) -> None:
        self.archive, self.suite = Archive(path), suite
        self.number, self.glibc, self.python, self.kernel_version = RELEASES[suite]

    def release(self, stack: Stack) -> None:
        """Puts in everything that a stack names, but kernel and driver, and what those need or recommend."""
        add, suite = self.archive.add, self.suite
        series = ".".join(self.python.split(".")[:2])
        add(suite, "libc6", self.glibc)
        add(suite, "bash", "5.2.21-2ubuntu4", Essential="yes", Priority="required", Depends="libc6")
        add(suite, "apt", "2.8.3", Depends="libc6")
        add(suite, "python3", f"{series}.0-0ubuntu2", Depends=f"python{series}")
        add(suite, f"python{series}", self.python)
        add(suite, f"libpython{series}", self.python)
        add(suite, "binutils", "2.42-4ubuntu2.6")
        add(suite, "dkms", Depends="gcc, make, kmod", Recommends="linux-headers-generic")
        packages, installer = stack.packages, distributions.of(stack).installer
        named = {*packages.base, *packages.devel, *packages.host, *installer.packages}
        named |= {"adduser", "amd64-microcode", "debconf", "gcc", "intel-microcode", "kmod", "linux-base"}
        named |= {"linux-firmware", "make", "ocl-icd-libopencl1", "thermald"}
        universe = {"docker.io", "htop", "nvme-cli", "ninja-build", "smartmontools", "tmux"}
        for name in sorted(named - {"python3"}):
            add(suite, name, component="universe" if name in universe else "main")
        self._loaders()

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

    def kernel(self, abi: int, pocket: str = "updates", *, flavour: str = "generic", backport: str = "") -> None:
        """Adds a kernel and the metapackages of its flavour.

        `backport` is what a newer release's kernel has at the end of its versions, "~24.04.1".
        """
        version = f"{self.kernel_version}-{abi}.{abi + 1}{backport}"
        # linux-meta of 22.04 has its own numbers: 5.15.0.179.163 leads to 5.15.0-179.
        meta = f"{self.kernel_version}.{abi}.{abi - 3}" if self.suite == "jammy" else version
        source = "linux-meta-hwe-6.14" if "hwe" in flavour else "linux-meta"
        values = {"kernel": self.name(abi), "version": version, "meta": meta, "flavour": flavour, "source": source}
        self._add("linux", pocket, "main", **values)

    def driver(self, branch: str, *, pocket: str = "updates", version: str = "") -> None:
        """Adds the user space of a driver's branch ("580-server"), and its packages with dkms."""
        number = version or DRIVERS[branch.partition("-")[0]]
        other = branch.removesuffix("-server") if branch.endswith("-server") else f"{branch}-server"
        values = {"branch": branch, "other": other, "driver": number}
        self._add("nvidia", pocket, "restricted", version=f"{number}-0ubuntu0.{self.number}.1", **values)

    def modules(
        self,
        branch: str,
        abi: int,
        *,
        pocket: str = "updates",
        version: str = "",
        flavour: str = "generic",
        backport: str = "",
        build: str = "+1",
    ) -> None:
        """Adds Canonical's signed modules for one kernel, of the driver's `version`.

        `branch` is of the module, as "580-server-open"; user space of "580-server" goes with it.
        """
        self._add(
            "modules-open" if branch.endswith("-open") else "modules-proprietary",
            pocket,
            "restricted",
            branch=branch,
            common=f"nvidia-kernel-common-{branch.removesuffix('-open')}",
            driver=version or DRIVERS[branch.partition("-")[0]],
            kernel=self.name(abi),
            flavour=flavour,
            version=f"{self.kernel_version}-{abi}.{abi + 1}{backport}{build}",
        )

    def together(self, abi: int = 88, *, version: str = "", pocket: str = "updates") -> None:
        """Adds a kernel, a driver of the branch 580-server and its open modules, which all go together."""
        self.kernel(abi, pocket)
        self.driver("580-server", version=version, pocket=pocket)
        self.modules("580-server-open", abi, version=version, pocket=pocket)

    def modules_ended(self, branch: str, later: str) -> None:
        """Adds the modules' package of a branch that has ended: it leads to that of a later one."""
        name, depends = f"linux-modules-nvidia-{branch}-generic", f"linux-modules-nvidia-{later}-generic"
        version = f"{self.kernel_version}-88.89+1"
        self.archive.add(f"{self.suite}-updates", name, version, component="restricted", Depends=depends)

    def driver_ended(self, branch: str, later: str, version: str) -> None:
        """Adds the user space of a branch that has ended: it leads to that of a later one."""
        made = f"{version}-0ubuntu1.{self.number}.1"
        self._add("nvidia-ended", "updates", "restricted", branch=branch, later=later, version=made)

    def publish(self, key: Key) -> None:
        """Writes the indices of all three pockets."""
        for pocket in POCKETS:
            self.archive.publish(f"{self.suite}{pocket}", key)

    def name(self, abi: int) -> str:
        """Returns a kernel's release, "6.8.0-88-generic"."""
        return f"{self.kernel_version}-{abi}-generic"

    def _add(self, control: str, pocket: str, component: str, **values: str) -> None:
        for name, version, fields in packages(control, **values):
            self.archive.add(f"{self.suite}-{pocket}", name, version, component=component, **fields)
