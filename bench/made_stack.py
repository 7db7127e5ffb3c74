"""A stack that builds in seconds, with every stage in it: Debian's smallest root, and a machine of empty programs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from debian.deb822 import Packages
from debian.debfile import DebFile

from rigforge.layers.recipes import boot
from rigforge.lock import model
from rigforge.paths import PROJECT
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.store.store import Store
from tests.sources.signed_archive import pack, write

NAME = "made"
KERNEL = "6.1.0-1-amd64"

STACK = """\
description = "A machine of empty programs, for tests"
extends = "smoke"

[packages]
base = []
host = []
"""

#: What dpkg and apt need in a root; their scripts, which take most of the time of a real one, are left out.
GROUND = ("apt", "base-files", "coreutils", "dash", "diffutils", "dpkg", "findutils", "grep", "libc-bin", "sed", "tar")
#: What they depend on for logins, signatures and encrypted archives, of which a build from checked files has none.
UNNEEDED = {"adduser", "gpgv", "libpam-modules", "libgnutls30", "passwd"}
UNUSED = [f"usr/share/{name}" for name in ("doc", "info", "locale", "man", "perl5")]
UNUSED += ["usr/lib/locale", "usr/lib/x86_64-linux-gnu/gconv"]
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n_apt:x:100:65534::/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nshadow:x:42:\nnogroup:x:65534:\n",
    "var/lib/dpkg/status": "",
}

NOTHING = "#!/bin/sh\n"
MAKES_ITS_OUTPUT = (
    '#!/bin/sh\nfor word; do case $word in --output=*) head -c 40000 /bin/sh > "${word#*=}";; esac; done\n'
)
MAKES_AN_INITRAMFS = f"#!/bin/sh\nhead -c 4000000 /usr/bin/apt /usr/bin/tar > /boot/initrd.img-{KERNEL}\n"

KERNELS = {f"boot/vmlinuz-{KERNEL}": "kernel"}

#: What recipes call, and what they take, of the packages of a real machine.
MACHINE = {
    **{f"usr/sbin/{name}": NOTHING for name in ("depmod", "locale-gen")},
    "usr/bin/systemctl": NOTHING,
    "usr/sbin/update-initramfs": MAKES_AN_INITRAMFS,
    "usr/bin/grub-mkimage": MAKES_ITS_OUTPUT,
    "usr/lib/grub/i386-pc/boot_hybrid.img": "\0" * 512,
    "boot/memtest86+x64.bin": "none",
    "boot/memtest86+x64.efi": "none",
    **dict.fromkeys(boot.EFI.values(), "none"),
}


def make(folder: Path, home: Path) -> Path:
    """Makes the stack and its lock (`made.toml`, `made.lock`) in `folder`; returns the stack's file.

    All that it needs is in the store of `home`, a directory for RIGFORGE_HOME, afterwards: it is built offline.
    """
    stack_file = folder / f"{NAME}.toml"
    stack_file.write_text(STACK)
    smoke = model.read(PROJECT / "stacks/smoke.lock")
    store = Store(home / "store")
    store.fetch(smoke.part("base"), Mirrors.from_environment())
    ground = list(_closure(smoke.part("base"), store))
    packages = [
        *(file for file in smoke.part("base") if file.name == "usr-is-merged"),
        _packed(folder, store, "base", "ground", partial(_unpack, ground, store), Essential="yes"),
        _packed(folder, store, "host", f"linux-image-{KERNEL}", partial(write, KERNELS)),
        _packed(folder, store, "host", "machine", partial(write, MACHINE)),
    ]
    stack = load(stack_file)
    lock = replace(
        smoke,
        stack=NAME,
        stack_sha256=model.asked(stack),
        versions={"kernel": KERNEL, "kernel_package_version": "1"},
        files=model.in_order(packages),
    )
    model.write(lock, stack_file.with_suffix(".lock"))
    return stack_file


def _closure(files: Iterable[LockedFile], store: Store) -> Iterator[LockedFile]:
    """Yields the packages of `GROUND` and what they depend on, but for `UNNEEDED`."""
    by_name = {file.name: file for file in files}
    controls = {name: Packages(DebFile(store.path(file.sha256)).debcontrol()) for name, file in by_name.items()}
    provided = {relation["name"]: name for name, text in controls.items() for (relation,) in text.relations["provides"]}
    provided |= {name: name for name in by_name}
    queue, names = list(GROUND), set(UNNEEDED)
    while queue:
        name = queue.pop()
        if name not in names:
            names.add(name)
            yield by_name[name]
            queue += _needed(controls[name], provided)


def _needed(control: Packages, provided: Mapping[str, str]) -> Iterator[str]:
    for kind in ("pre-depends", "depends"):
        for alternatives in control.relations[kind]:
            yield next(provided[relation["name"]] for relation in alternatives if relation["name"] in provided)


def _unpack(files: Iterable[LockedFile], store: Store, root: Path) -> None:
    for file in files:
        subprocess.run(["dpkg-deb", "--extract", store.path(file.sha256), root], check=True)
    for folder in UNUSED:
        shutil.rmtree(root / folder, ignore_errors=True)
    shutil.copytree(root / "usr/share/base-files", root / "etc", dirs_exist_ok=True)
    write(ACCOUNTS, root)


def _packed(
    folder: Path, store: Store, layer: str, name: str, fill: Callable[[Path], None], **fields: str
) -> LockedFile:
    package = pack(folder, name, "1", fields, fill)
    content = package.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    store.path(sha256).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(package, store.path(sha256))
    return LockedFile(layer, "deb", name, "1", f"debian:pool/main/m/made/{package.name}", len(content), sha256)
