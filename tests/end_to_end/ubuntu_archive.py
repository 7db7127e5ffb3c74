"""Ubuntu's archive and the pool of its media: Debian's packages, changed where Canonical's installer would see it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from debian.deb822 import Deb822

from rigforge.distributions import ubuntu
from rigforge.lock import debs, platform
from rigforge.lock.model import Lock
from rigforge.paths import home
from rigforge.sources import apt
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.store import Store
from tests.images import live_server_pool
from tests.images.live_server_medium import OS_RELEASE
from tests.lock.ubuntu_archive import POCKETS, packages
from tests.sources.signed_archive import Key, SignedArchive, pack

DRIVER = "580.178.04"
USER_SPACE = (
    "libnvidia-cfg1-580-server",
    "libnvidia-compute-580-server",
    "nvidia-compute-utils-580-server",
    f"nvidia-firmware-580-server-{DRIVER}",
    "nvidia-kernel-common-580-server",
    "nvidia-utils-580-server",
)

LSB_RELEASE = """\
DISTRIB_ID=Ubuntu
DISTRIB_RELEASE={release}
DISTRIB_CODENAME={codename}
DISTRIB_DESCRIPTION="Ubuntu {release} LTS"
"""


@dataclass(frozen=True)
class Debian:
    """Packages of Debian's as files, by name: all that an archive has, and those in a medium's pool; the kernel."""

    packages: Mapping[str, Path]
    pool: tuple[Path, ...]
    kernel: str


def debian(stack: Stack, lock: Lock, folder: Path) -> Debian:
    """Fetches what a stack's lock has, in the archive's newest versions, and what an Ubuntu stack asks for as well.

    The kernel provides `linux-image`, as Ubuntu's do; it is built anew in `folder`.
    """
    mirrors, store = Mirrors.from_environment(), Store(home() / "store")
    archives = [
        apt.Archive(each.mirror, mirrors.url(each.mirror), each.suite, each.components, stack.keyring(each))
        for each in stack.archives
    ]
    named = {file.name for file in lock.files if file.kind == "deb" and not platform.KERNEL.fullmatch(file.name)}
    named |= {stack.kernel.package, *ubuntu.BOOT, *ubuntu.INSTALLER, *live_server_pool.IN_THE_MINIMAL_LAYER}
    minimal = (*apt.MINIMAL, *stack.packages.base, *live_server_pool.IN_THE_MINIMAL_LAYER)
    with apt.private_root("amd64", archives) as root:
        root.update()
        everything = debs.resolve(root, "host", dict.fromkeys(named, "the archive"))
        below = debs.resolve(root, "base", dict.fromkeys(minimal, "the minimal layer"))
        sets = [dict.fromkeys(names, "the pool") for names in live_server_pool.SETS]
        pool = {file.name: file for names in sets for file in debs.resolve(root, "host", names, below)}
        loaders = {file for names in sets for file in debs.resolve(root, "host", names, everything)}
    files = (*everything, *loaders, *pool.values())
    store.fetch(files, mirrors)
    packages = {}
    for file in files:
        packages[file.name] = folder / file.basename
        if not packages[file.name].exists():
            packages[file.name].symlink_to(store.path(file.sha256))
    (kernel,) = (name for name in packages if platform.KERNEL.fullmatch(name))
    (folder / "ubuntu").mkdir()
    packages[kernel] = changed(packages[kernel], folder / "ubuntu", Provides="linux-image")
    return Debian(packages, tuple(packages[name] for name in sorted(pool)), kernel.removeprefix("linux-image-"))


def fill(archive: SignedArchive, release: str, debian: Debian, key: Key) -> None:
    """Publishes a release, signed with a key that its package ubuntu-keyring brings; all is in the first pocket."""
    suite = live_server_pool.CODENAMES[release]
    abi = debian.kernel.removesuffix("-amd64")
    archive.add(suite, "linux-image-generic", f"{abi}.57", Depends=f"linux-image-{debian.kernel}")
    archive.add(suite, "casper", files={"usr/share/initramfs-tools/scripts/casper": "#!/bin/sh\n"})
    modules = {"branch": "580-server-open", "common": "nvidia-kernel-common-580-server", "kernel": debian.kernel}
    modules |= {"flavour": "generic", "version": f"{abi}.57+1"}
    driver = {"branch": "580-server", "other": "580", "version": f"{DRIVER}-0ubuntu0.{release}.1"}
    for control, values in (("modules-open", modules), ("nvidia", driver)):
        for name, version, fields in packages(control, driver=DRIVER, **values):
            archive.add(suite, name, version, **fields)
    archive.add(suite, "ocl-icd-libopencl1")
    pool = archive.path / "pool" / suite / "main"
    for name in debian.packages.keys() - {"base-files", "debian-archive-keyring"}:
        (pool / debian.packages[name].name).symlink_to(debian.packages[name].resolve())
    values = {"release": release, "codename": suite}
    changed(
        debian.packages["base-files"],
        pool,
        {"usr/lib/os-release": OS_RELEASE.format(**values), "etc/lsb-release": LSB_RELEASE.format(**values)},
        Version="13ubuntu10",
    )
    pack(pool, "ubuntu-keyring", "2023.11.28.1", {"Provides": "debian-archive-keyring"}, partial(_keys, key))
    for pocket in POCKETS:
        archive.publish(f"{suite}{pocket}", key, Codename=suite)


def changed(deb: Path, folder: Path, files: Mapping[str, str] = MappingProxyType({}), **fields: str) -> Path:
    """Builds a package anew into a folder, with other files (their text by path) and fields of its control file."""
    with tempfile.TemporaryDirectory() as unpacked:
        root = Path(unpacked) / "root"
        subprocess.run(["dpkg-deb", "--raw-extract", deb, root], check=True)
        for place, text in files.items():
            (root / place).write_text(text)
        control = Deb822((root / "DEBIAN/control").read_text())
        control.update(fields)
        (root / "DEBIAN/control").write_text(control.dump() or "")
        sums = root / "DEBIAN/md5sums"
        kept = [
            line
            for line in sums.read_text().splitlines(keepends=True)
            if line.split(maxsplit=1)[1].strip() not in files
        ]
        sums.write_text("".join(kept))
        made = folder / f"{control['Package']}_{control['Version']}_{control['Architecture']}.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", root, made]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return made


def _keys(key: Key, root: Path) -> None:
    for place in (
        "etc/apt/trusted.gpg.d/ubuntu-keyring-2012-cdimage.gpg",
        "etc/apt/trusted.gpg.d/ubuntu-keyring-2018-archive.gpg",
        "usr/share/keyrings/ubuntu-archive-keyring.gpg",
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(key.keyring, root / place)
