"""apt and dpkg in the root of a layer: how packages get in, what that leaves behind, and what is there then.

The base, where no dpkg is yet, is mmdebstrap's (`rigforge.layers.recipes.base`). What apt resolves is in `sources.apt`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rigforge import guest

if TYPE_CHECKING:
    from rigforge.layers.root import Root

#: What maintainer scripts heed.
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive"}

#: What installing leaves behind and no machine should start with.
LEFTOVERS = (
    "etc/apt/apt.conf.d/99mmdebstrap",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/cache/debconf/*-old",
    "var/lib/apt/extended_states.*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/apt/*",
)

#: Folder of dpkg's configuration, which counts for every later installation too.
CONFIGURATION = "etc/dpkg/dpkg.cfg.d"

_OPTIONS = (
    "APT::Install-Recommends=false",
    "APT::Sandbox::User=root",
    "Dpkg::Use-Pty=0",
    "Dpkg::Options::=--force-unsafe-io",
    "Dpkg::Options::=--force-confold",
)


class Package(NamedTuple):
    """An installed package, and the source package that it was built from."""

    name: str
    source: str
    version: str


def has_packages(root: Root, name: str = "*") -> bool:
    """Tells whether the layer's files have packages with names of this pattern."""
    return any(root.files.glob(f"{name}.deb"))


def install(root: Root) -> None:
    """Installs the .deb files of the layer, with no service started and nothing else fetched."""
    root.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    # A pattern, because hundreds of names would bury the error message.
    flags = " ".join(f"-o {option}" for option in _OPTIONS)
    root.chroot(["sh", "-c", f"apt-get install --yes --quiet --allow-downgrades {flags} /run/files/*.deb"])
    root.remove("usr/sbin/policy-rc.d")


def exclude(root: Root, name: str, patterns: Iterable[str], but: Iterable[str] = ()) -> None:
    """Leaves out of every package the paths that match patterns, `but` some, by the file `name` of `CONFIGURATION`."""
    rules = [*(f"path-exclude={pattern}\n" for pattern in patterns), *(f"path-include={pattern}\n" for pattern in but)]
    root.write(f"{CONFIGURATION}/{name}", "".join(rules))


@contextmanager
def diverted(root: Root, program: str) -> Iterator[None]:
    """Keeps packages from running a program of theirs: it does nothing, and is back at the end."""
    root.chroot(["dpkg-divert", "--local", "--rename", "--add", program])
    root.link(program, "/bin/true")
    try:
        yield
    finally:
        root.remove(program)
        root.chroot(["dpkg-divert", "--local", "--rename", "--remove", program])


def installed(root: Root) -> list[Package]:
    """Returns the installed packages."""
    fields = "${Package} ${source:Package} ${Version}\\n"
    lines = root.chroot(["dpkg-query", "--show", "--showformat", fields]).splitlines()
    return [Package(*line.split()) for line in lines]


def pack(root: Root, folder: str, package: str) -> None:
    """Makes a .deb file of a folder with DEBIAN/control; both are paths in the root."""
    root.chroot(["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", folder, package])


def settle(root: Path) -> None:
    """Gives the folder of downloads in a root to root: apt gives it to its own user where it runs as real root only."""
    downloads = guest.resolve(root, "var/cache/apt/archives/partial")
    if downloads.exists():
        os.chown(downloads, 0, 0)
