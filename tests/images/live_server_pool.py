"""The pool of Canonical's live-server media: packages that its own layers lack, and their index, signed.

Up to 25.10 the signature is of a key that ubuntu-keyring brings; from 26.04 on it is of one made for that medium
alone, which stands in a file of the lowest layer and nowhere else (livecd-rootfs, live-build/isobuilder; "Make ISO in
livefs build", discourse.ubuntu.com/t/73349).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from tests.sources.signed_archive import Key

CODENAMES = {"22.04": "jammy", "24.04": "noble", "26.04": "resolute"}

#: What the seed server-ship-live names of boot loaders, as they can be installed together, and what they recommend.
_RECOMMENDED = ("efibootmgr", "mokutil", "os-prober")
SETS = (
    ("grub-pc", *_RECOMMENDED),
    ("grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed", *_RECOMMENDED),
)

#: What Canonical's minimal layer has, so that germinate puts it into no pool; the names are those of Debian 12.
IN_THE_MINIMAL_LAYER = (
    *("gettext-base", "libbrotli1", "libdevmapper1.02.1", "libfuse2", "libpng16-16"),
    *("sensible-utils", "ucf"),
)

CDROM_SOURCES = """\
Types: deb
URIs: file:///cdrom
Suites: {codename}
Components: main restricted
Check-Date: no
Signed-By:
{key}
"""


@dataclass(frozen=True)
class Pool:
    """`tree` has dists/ and pool/ as a medium has them; `sources` is the lowest layer's cdrom.sources, if any."""

    tree: Path
    sources: str = ""


def lay(tree: Path, release: str, debs: Iterable[Path], key: Key, date: int) -> Pool:
    """Copies packages into a pool, and signs its index with the release's way of making the key known.

    `date` (seconds since 1970) is the medium's day.
    """
    codename = CODENAMES[release]
    for deb in debs:
        name = deb.name.partition("_")[0]
        folder = tree / "pool/main" / name[0] / name
        folder.mkdir(parents=True)
        shutil.copy(deb, folder / deb.name)
    dist = tree / "dists" / codename
    for component in ("main", "restricted"):
        index = dist / component / "binary-amd64/Packages"
        index.parent.mkdir(parents=True)
        (tree / "pool" / component).mkdir(exist_ok=True)
        index.write_text(_ftparchive(tree, "packages", f"pool/{component}"))
    made = _ftparchive(tree, "release", f"dists/{codename}").splitlines()
    head = [f"Origin: Ubuntu\nLabel: Ubuntu\nSuite: {codename}\nVersion: {release}\nCodename: {codename}"]
    head += [f"Date: {format_datetime(datetime.fromtimestamp(date, UTC), usegmt=True)}"]
    head += ["Architectures: amd64\nComponents: main restricted"]
    (dist / "Release").write_text("\n".join([*head, *made[made.index("SHA256:") :], ""]))
    key.sign(dist / "Release", apart=True)
    (tree / "dists/stable").symlink_to(codename)
    return Pool(tree, cdrom_sources(codename, key) if release >= "26.04" else "")


def cdrom_sources(codename: str, key: Key) -> str:
    """Returns the source that names a medium's pool, with its key."""
    lines = "\n".join(f" {line or '.'}" for line in key.armored.splitlines())
    return CDROM_SOURCES.format(codename=codename, key=lines)


def _ftparchive(tree: Path, *words: str) -> str:
    return subprocess.run(["apt-ftparchive", *words], cwd=tree, check=True, capture_output=True, text=True).stdout
