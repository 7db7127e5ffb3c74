"""The values of the templates in packer/ that others run: the medium's own build, and a machine of Canonical's ISO."""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rigforge import distributions, paths
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, digest
from rigforge.records.file import LockedFile
from rigforge.stack.model import Stack

#: MiB of the virtual machine's disk, of which the layers of a whole stack take a third.
DISK = 40960

#: The layers that hold nothing of apt's, so that they can be unpacked over any installation of the same release.
UNPACKED = ("cuda", "python")


def iso_values(stack: Stack, lock: Lock, site: Path, iso: Path) -> dict[str, Any]:
    """Returns the values of iso.pkr.hcl; `site` is the file with the site's values, `iso` the one to be built."""
    return {
        "bootstrap": str(
            paths.PROJECT / "bootstrap" if paths.CHECKOUT else Path(sysconfig.get_path("scripts")) / "rigforge"
        ),
        "stack": str(stack.path),
        "site": str(site.absolute()),
        "out": str(iso.parent.absolute()),
        "iso": str(iso.absolute()),
        "lock_sha256": digest(lock),
    }


def ubuntu_values(
    stack: Stack, lock: Lock, iso: Path, layers: Sequence[Path], key: Path, folder: Path
) -> dict[str, Any]:
    """Returns the values of ubuntu.pkr.hcl.

    `iso` is the locked ISO, `layers` are the squashfs files of `UNPACKED`, `key` is the SSH key that may log in and
    `folder` the project's own, with the files for the installer in `http`.
    """
    medium = locked_medium(stack, lock)
    driver = set(distributions.of(stack).driver.user_space)
    return {
        "iso_url": str(iso.absolute()),
        "iso_checksum": f"sha256:{medium.sha256}",
        "http_directory": str(folder.absolute() / "http"),
        "output_directory": str(folder.absolute() / "machine"),
        "disk_mib": DISK,
        "packages": [f"{file.name}={file.version}" for file in lock.part("host") if file.name in driver],
        "layers": [str(layer) for layer in layers],
        "ssh_username": stack.machine.username,
        "ssh_private_key_file": str(key.absolute()),
    }


def locked_medium(stack: Stack, lock: Lock) -> LockedFile:
    """Returns Canonical's ISO of a lock. Raises RigforgeError where it has none."""
    medium = lock.base_iso
    if medium is None:
        raise RigforgeError(
            f"stack {stack.name} is of {stack.system.distribution}, whose medium is Rigforge's own",
            "for a virtual machine of it: invoke verify-iso keeps the disk that it installed",
        )
    return medium
