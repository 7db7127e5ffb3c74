"""A medium's pool of empty packages, named and related as the real ones, and the packages of layers that fit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rigforge.verify.pool import STATUS, TRUSTED
from tests.images.live_server_medium import TIME
from tests.images.live_server_pool import Pool, lay
from tests.sources.signed_archive import Key, pack

KERNEL = "6.8.0-88-generic"
VERSION = "2.12-1"

#: By package, what it depends on and what it cannot be with.
LOADERS: Mapping[str, Mapping[str, str]] = {
    "grub-common": {"Depends": "gettext-base, libfreetype6"},
    "grub2-common": {"Depends": f"grub-common (= {VERSION})"},
    "grub-pc-bin": {"Depends": f"grub-common (= {VERSION})"},
    "grub-pc": {"Depends": f"grub2-common (= {VERSION}), grub-pc-bin (= {VERSION})", "Conflicts": "grub-efi-amd64"},
    "grub-efi-amd64-bin": {"Depends": f"grub-common (= {VERSION})"},
    "grub-efi-amd64": {"Depends": f"grub2-common (= {VERSION}), grub-efi-amd64-bin", "Conflicts": "grub-pc"},
    "grub-efi-amd64-signed": {"Depends": "grub-efi-amd64"},
    "shim-signed": {"Depends": "grub-efi-amd64-signed, mokutil"},
    "libfreetype6": {"Depends": "libpng16-16"},
}

#: What layers have that were made for it, with fields of their own.
INSTALLED: Mapping[str, Mapping[str, str]] = {
    f"linux-image-{KERNEL}": {"Provides": "fuse-module, linux-image"},
    "btrfs-progs": {},
    "cryptsetup": {},
    "e2fsprogs": {},
    "efibootmgr": {},
    "gettext-base": {},
    "libpng16-16": {},
    "lvm2": {},
    "mokutil": {},
    "openssh-server": {},
    "xfsprogs": {},
}


def stub_pool(folder: Path, release: str, key: Key, without: str = "") -> Pool:
    """Makes the pool in an empty folder, signed with a key, without one of its packages."""
    debs = folder / "debs"
    debs.mkdir(parents=True)
    named = {name: fields for name, fields in LOADERS.items() if name != without}
    return lay(folder / "medium", release, [pack(debs, name, VERSION, named[name]) for name in named], key, TIME)


def status(packages: Mapping[str, Mapping[str, str]]) -> str:
    """Returns dpkg's list of packages, each in the state that it has itself, or installed."""
    common = {
        "Status": "install ok installed",
        "Version": "1",
        "Architecture": "amd64",
        "Maintainer": "A <a@b.example>",
    }
    stanzas = ({"Package": name, **common, **fields, "Description": "test"} for name, fields in packages.items())
    return "\n".join("".join(f"{key}: {value}\n" for key, value in stanza.items()) for stanza in stanzas)


def lay_tree(tree: Path, packages: Mapping[str, Mapping[str, str]], key: Key) -> Path:
    """Writes what the check reads of layers: the list of packages, and a key as ubuntu-keyring brings it."""
    for place, content in {STATUS: status(packages).encode(), f"{TRUSTED}/a.gpg": key.keyring.read_bytes()}.items():
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).write_bytes(content)
    return tree
