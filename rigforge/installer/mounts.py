"""Mounting, such that whatever happens everything is unmounted again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigforge import guest
from rigforge.installer.command import Argument, run

#: What programs of a system expect of the kernel that runs it.
SYSTEM_FOLDERS = ("dev", "proc", "sys", "run")


@contextmanager
def mounted(*arguments: Argument, at: Path) -> Iterator[Path]:
    """Mounts what mount(8)'s `arguments` say on the folder `at` and yields it; unmounts it and all below in the end."""
    at.mkdir(parents=True, exist_ok=True)
    run(["mount", *arguments, at])
    try:
        yield at
    finally:
        unmount(at)


def unmount(at: Path) -> None:
    """Unmounts the folder and all that is mounted below it."""
    if run(["umount", "--recursive", at], check=False):
        # Something still has a file open there, what a late-command left running for instance.
        run(["sync", "--file-system", at], check=False)
        run(["umount", "--recursive", "--lazy", at], check=False)


@contextmanager
def system_folders(target: Path) -> Iterator[None]:
    """Gives the system in `target` the running kernel's /dev, /proc, /sys and /run, as programs run by chroot need."""
    folders = [guest.resolve(target, name) for name in SYSTEM_FOLDERS]
    try:
        for name, folder in zip(SYSTEM_FOLDERS, folders, strict=True):
            # A slave: unmounting it must not unmount the live system's own.
            run(["mount", "--rbind", "--make-rslave", Path("/", name), folder])
        yield
    finally:
        for folder in reversed(folders):
            if folder.is_mount():
                unmount(folder)
