"""A layer under construction, seen from inside the namespace: its mounted root and what all recipes do with it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from rigforge import guest
from rigforge.layers import confine, dpkg
from rigforge.process import Argument, CommandFailed, clock, run

#: Devices that a program in the root may need; bound from the machine's own, as nobody but root can make them.
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")

#: What building leaves behind and no machine should start with.
LEFTOVERS = (
    *dpkg.LEFTOVERS,
    "dev/*",
    "etc/.pwd.lock",
    "etc/*-",
    "etc/nvme/host*",
    "etc/ssh/ssh_host_*",
    "root/.cache",
    "run/*",
    "tmp/*",
    "usr/share/info/dir*",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/log/*.log",
    "var/tmp/*",
)

#: Attributes that no layer has: overlayfs's own, which hold inode numbers of this machine, and access control lists,
#: which squashfs cannot hold and not every file system keeps; systemd-tmpfiles sets them again at each boot.
UNSETTLED = ("user.overlay.", "system.posix_acl_")


@dataclass(frozen=True)
class NoOptions:
    """Options of a recipe that needs to be told nothing."""


@dataclass(frozen=True)
class Root:
    """The mounted root of a layer under construction.

    `files` is the directory with the layer's locked files under their own names, seen as /run/files inside;
    `products` maps the names of layers in use to the directories with what they made; no file is younger than `epoch`
    (seconds since 1970).
    """

    path: Path
    files: Path
    products: Mapping[str, Path]
    epoch: int

    def chroot(self, argv: Sequence[Argument], *, proc: str = "", **env: str) -> str:
        """Runs a program confined to the root and returns its standard output.

        It sees no file and no process of the machine and no network, and what it leaves running ends with it. `proc`
        is where it may ask for another /proc; see `confine`.

        Raises CommandFailed.
        """
        try:
            result = run(confine.command(self.path, argv, self.environment(**env), proc))
        except CommandFailed as failure:
            words = ["chroot", str(self.path), *map(str, argv)]
            raise CommandFailed(words, failure.returncode, failure.output) from None
        print(result.stdout, result.stderr, sep="", flush=True)
        return result.stdout

    def environment(self, **env: str) -> dict[str, str]:
        """Returns all variables that a program in the root has, `env` among them."""
        return {
            **dpkg.ENVIRONMENT,
            "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONHASHSEED": "0",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            "TMPDIR": "/tmp",
            "TZ": "UTC",
            **clock(),
            **env,
        }

    def at(self, path: str | PurePath, *, follow: bool = True) -> Path:
        """Returns where a path of the root is, seen from outside; see `guest.resolve`."""
        return guest.resolve(self.path, path, follow=follow)

    def glob(self, pattern: str) -> list[Path]:
        """Returns what in the root matches a pattern, seen from outside; see `guest.glob`."""
        return guest.glob(self.path, pattern)

    def exists(self, path: str | PurePath) -> bool:
        """Tells whether a program in the root would find `path`."""
        return self.at(path).exists()

    def take(self, path: str | PurePath, place: Path) -> None:
        """Copies a file of the root, what a link leads to, to `place`, a path that is nobody's to choose."""
        shutil.copyfile(guest.regular(self.path, path), place)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file of the root, making its directories."""
        guest.write(self.path, path, text, mode)

    def link(self, path: str | PurePath, target: str | PurePath) -> None:
        """Makes a link of the root, with its directories; raises FileExistsError."""
        link = self.at(path, follow=False)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def remove(self, path: str | PurePath) -> None:
        """Removes a file or link of the root; nothing there is no error."""
        self.at(path, follow=False).unlink(missing_ok=True)


@contextmanager
def overlay(path: Path, *, lowers: Sequence[Path], upper: Path, work: Path) -> Iterator[None]:
    """Mounts an overlay of `lowers` (top first) and `upper` at `path`; unmounts it, and all in it, at the end."""
    empty = work.with_name("empty")
    empty.mkdir(exist_ok=True)
    lower = ":".join(str(directory) for directory in lowers) or str(empty)
    # volatile: a layer half made when the machine stops is thrown away, so nothing needs to reach the disk before.
    options = f"lowerdir={lower},upperdir={upper},workdir={work},userxattr,volatile"
    run(["mount", "-t", "overlay", "overlay", "-o", options, path])
    try:
        yield
    finally:
        run(["umount", "--recursive", path])


@contextmanager
def interfaces(path: Path, files: Path) -> Iterator[None]:
    """Mounts /dev, /run and /tmp in a root, and the layer's files at /run/files; each program has its own /proc."""
    dev, run_folder, tmp = mounts = [guest.resolve(path, name) for name in ("dev", "run", "tmp")]
    mount_devices(dev)
    for directory in (run_folder, tmp):
        run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", directory])
    tmp.chmod(0o1777)
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        (dev / name).symlink_to(f"/proc/self/fd{target}")
    (run_folder / "lock").mkdir(mode=0o1777)
    (run_folder / "files").mkdir()
    show(files, run_folder / "files")
    try:
        yield
    finally:
        for directory in mounts:
            run(["umount", "--recursive", directory])


def mount_devices(dev: Path) -> None:
    """Mounts a directory that has `DEVICES`, and the one for shared memory, which libfaketime wants."""
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", dev])
    (dev / "shm").mkdir(mode=0o1777)
    for device in DEVICES:
        (dev / device).touch()
        run(["mount", "--bind", f"/dev/{device}", dev / device])


def show(source: Path, place: Path) -> None:
    """Shows a file or directory of the machine at `place`, read-only: it is the store's own, or a program of ours."""
    # A user namespace may not make what it mounts again less strict than it was, and /home is often like this.
    run(["mount", "-o", "bind,ro,nosuid,nodev", source, place])


def clean(root: Path) -> None:
    """Removes from a root in which nothing is mounted what building left: `LEFTOVERS`, the machine-id, an owner."""
    for pattern in LEFTOVERS:
        for path in guest.glob(root, pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    guest.write(root, "etc/machine-id", "")
    dpkg.settle(root)


def settle(upper: Path, lowers: Sequence[Path], epoch: int) -> None:
    """Makes an upper directory a layer that depends on nothing but its content.

    Opaque directories become directories with whiteouts, the attributes `UNSETTLED` go, and no file is younger than
    `epoch` (seconds since 1970).
    """
    for directory, names, files in os.walk(upper, topdown=False):
        folder = Path(directory)
        if _attribute(folder, "user.overlay.opaque") == b"y":
            entries = {name for lower in lowers for name in _names(lower / folder.relative_to(upper))}
            for name in sorted(entries - set(names) - set(files)):
                os.mknod(folder / name, stat.S_IFCHR | 0o000, os.makedev(0, 0))
                files.append(name)
        for name in [*files, *names, "."]:
            _settle_inode(folder / name, epoch)


def _settle_inode(path: Path, epoch: int) -> None:
    for attribute in os.listxattr(path, follow_symlinks=False):
        if attribute.startswith(UNSETTLED):
            os.removexattr(path, attribute, follow_symlinks=False)
    if path.lstat().st_mtime > epoch:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _attribute(path: Path, name: str) -> bytes:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return b""


def _names(directory: Path) -> list[str]:
    # A whiteout below is nothing that could shine through.
    if not directory.is_dir() or directory.is_symlink():
        return []
    return [entry.name for entry in os.scandir(directory) if not _is_whiteout(entry)]


def _is_whiteout(entry: os.DirEntry[str]) -> bool:
    status = entry.stat(follow_symlinks=False)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
