"""This machine's programs in a root of their own, for what makes a root where there is none yet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigforge.layers.root import Root, interfaces, mount_devices, show
from rigforge.process import run

#: Where the root that is being made is seen.
TARGET = "/target"

#: What programs read besides /usr: which of several they are, which libraries and which users there are.
CONFIGURATION = ("alternatives", "group", "ld.so.cache", "nsswitch.conf", "passwd")

#: Links into /usr where it is merged.
BESIDES_USR = ("bin", "lib", "lib64", "sbin")


@contextmanager
def programs(root: Root) -> Iterator[Root]:
    """Yields a root with nothing but this machine's programs, read-only, and the empty `root` at `TARGET`.

    A package's script that leaves `TARGET` finds no file of the builder's there. `TARGET` has devices; /proc it
    gets when it is asked for, as packages that are unpacked there make the folder.
    """
    place = root.path.with_name("programs")
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", place])
    (root.path / "dev").mkdir()
    mount_devices(root.path / "dev")
    try:
        _fill(place)
        with interfaces(place, root.files):
            run(["mount", "--rbind", root.path, place / TARGET.lstrip("/")])
            yield Root(place, root.files, {}, root.epoch)
    finally:
        # All of it, or what fails in the end is the unmounting of the root, and nobody sees why.
        run(["umount", "--recursive", place])
        place.rmdir()
        run(["umount", "--recursive", root.path / "dev"])


def _fill(place: Path) -> None:
    for name in ("dev", "etc", "proc", "run", "tmp", "usr", TARGET.lstrip("/")):
        (place / name).mkdir()
    show(Path("/usr"), place / "usr")
    for source in (Path("/", name) for name in BESIDES_USR):
        if source.is_symlink():
            (place / source.name).symlink_to(source.readlink())
        elif source.exists():
            (place / source.name).mkdir()
            show(source, place / source.name)
    for source in (Path("/etc", name) for name in CONFIGURATION):
        if source.is_dir():
            shutil.copytree(source, place / "etc" / source.name, symlinks=True)
        elif source.exists():
            shutil.copyfile(source, place / "etc" / source.name)
