"""A medium in the layout of Canonical's live-server ISOs, of a few files; its boot images are the caller's."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from rigforge.verify.live_server import POOL
from tests.images.live_server_pool import CODENAMES, Pool

INFO = 'Ubuntu-Server {release} LTS "Stand-in" - Release amd64 (20260210)'

MENU = """\
set timeout=30
menuentry "Try or Install Ubuntu Server" {
	linux	/casper/vmlinuz  ---
	initrd	/casper/initrd
}
"""

OS_RELEASE = """\
PRETTY_NAME="Ubuntu {release} LTS"
NAME="Ubuntu"
VERSION_ID="{release}"
VERSION="{release} LTS (Stand-in)"
VERSION_CODENAME={codename}
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME={codename}
"""

#: 2026-02-10, the day of the medium.
TIME = 1770681600


def sources(release: str) -> object:
    """install-sources.yaml: a list until 24.04, a mapping with one from 25.04 on."""
    minimal, server = "ubuntu-server-minimal.squashfs", "ubuntu-server-minimal.ubuntu-server.squashfs"
    listed = [
        {
            "id": name,
            "default": default,
            "name": {"en": name},
            "description": {"en": f"{name}, as it comes"},
            "variant": "server",
            "type": "fsimage-layered",
            "path": path,
            "size": size,
            "locale_support": "locale-only",
        }
        for name, default, path, size in (("ubuntu-server", True, server, 900), ("minimal", False, minimal, 600))
    ]
    return listed if release < "25.04" else {"version": 2, "kernel": {"default": "linux-generic"}, "sources": listed}


def boot_files(folder: Path) -> Path:
    """Fills a folder with stand-ins for the boot files, of bytes that nobody would make by chance, and returns it."""
    chance = random.Random(1)
    sizes = {"vmlinuz": 5000, "initrd.img": 7000, "bios.img": 30_000, "boot_hybrid.img": 512, "efi.img": 65_536}
    for name, size in sizes.items():
        (folder / name).write_bytes(chance.randbytes(size))
    return folder


def make(folder: Path, boot: Path, release: str = "24.04", pool: Pool | None = None) -> Path:
    """Returns the ISO.

    `boot` has vmlinuz and initrd.img, bios.img (El Torito), boot_hybrid.img (MBR) and efi.img (EFI system partition).
    Without a `pool` there are files in its place that apt could not read.
    """
    tree, iso = folder / "tree", folder / f"ubuntu-{release}-live-server-amd64.iso"
    files = {
        ".disk/info": INFO.format(release=release),
        ".disk/casper-uuid-generic": "6b2c6a3e-1c5d-4f0e-9a41-5a2f6d7c8b90\n",
        ".disk/cd_type": "full_cd/single\n",
        "EFI/boot/README": "the loaders are in the EFI system partition\n",
        "boot/grub/grub.cfg": MENU,
        "boot/grub/loopback.cfg": MENU,
        "casper/filesystem.manifest": "bash\t5.2\n",
        "casper/install-sources.yaml": yaml.safe_dump(sources(release), sort_keys=False),
        "casper/ubuntu-server-minimal.ubuntu-server.squashfs": "server",
        "casper/ubuntu-server-minimal.ubuntu-server.installer.squashfs": "installer",
    }
    if pool:
        shutil.copytree(pool.tree, tree, symlinks=True)
    else:
        files["pool/main/h/hello/hello_1_amd64.deb"] = "a package"
        files |= {f"pool/main/g/grub/{name}_2.12_amd64.deb": "a package" for name in POOL}
    for place, text in files.items():
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).write_text(text)
    for place, name in {"casper/vmlinuz": "vmlinuz", "casper/initrd": "initrd.img"}.items():
        (tree / place).write_bytes((boot / name).read_bytes())
    minimal = {"etc/os-release": OS_RELEASE.format(release=release, codename=CODENAMES[release])}
    if pool and pool.sources:
        minimal["etc/apt/sources.list.d/cdrom.sources"] = pool.sources
    squash(folder / "minimal", minimal, tree / "casper/ubuntu-server-minimal.squashfs")
    (tree / "boot/grub/i386-pc").mkdir()
    (tree / "boot/grub/i386-pc/eltorito.img").write_bytes((boot / "bios.img").read_bytes())
    listed = sorted(file for file in tree.rglob("*") if file.is_file() and file.name != "eltorito.img")
    sums = [f"{md5(file)}  ./{file.relative_to(tree)}\n" for file in listed]
    (tree / "md5sum.txt").write_text("".join(sums))
    for path in tree.rglob("*"):
        os.utime(path, (TIME, TIME))
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-joliet-long", "-l", "-iso-level", "3", "-o", iso]
    command += ["-V", f"Ubuntu-Server {release} LTS amd64", "-partition_offset", "16", "--mbr-force-bootable"]
    command += ["--grub2-mbr", boot / "boot_hybrid.img", "-append_partition", "2", "0xef", boot / "efi.img"]
    command += ["-appended_part_as_gpt", "-c", "boot.catalog", "-b", "boot/grub/i386-pc/eltorito.img", "-no-emul-boot"]
    command += ["-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info", "-eltorito-alt-boot"]
    command += ["-e", "--interval:appended_partition_2:all::", "-no-emul-boot", tree]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(TIME)})
    return iso


def squash(folder: Path, files: Mapping[str, str], image: Path) -> None:
    """Makes a squashfs of files that have their text by path, by way of a folder."""
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    command = ["mksquashfs", folder, image, "-noappend", "-all-root", "-quiet", "-no-progress", "-all-time", str(TIME)]
    subprocess.run([*command, "-mkfs-time", str(TIME)], check=True)


def md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()
