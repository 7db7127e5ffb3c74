"""The unattended installation, from the medium that was started to a disk that starts by itself."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rigforge import guest
from rigforge.installer import boot, configure, copy, media, partition
from rigforge.installer.check import MEDIUM, check_medium
from rigforge.installer.command import run
from rigforge.installer.disks import choose, needed_bytes, scan
from rigforge.installer.document import Document, DocumentError, parse
from rigforge.installer.errors import InstallError
from rigforge.installer.late_commands import run_late_commands
from rigforge.installer.mounts import mounted, system_folders, unmount
from rigforge.installer.screen import FAILED_AFTER, Screen, consoles
from rigforge.installer.seed import seed

#: In the live system's memory: where the log and what the installer needs for itself are.
RUN = Path("/run/rigforge")
LOG = RUN / "install.log"
TARGET = Path("/target")

#: In the live system's memory as well, but not below /run, from which nothing can be executed.
PROGRAMS = Path("/var/lib/rigforge/bin")

STAGES = 10
#: How much of the log is shown when the installation fails, in lines.
LOG_END = 15


@dataclass(frozen=True)
class InstallMedium:
    """What the medium says of itself in rigforge/medium.json; `layers` bottom first, `rootfs_bytes` as they unpack."""

    id: str
    layers: tuple[str, ...]
    rootfs_bytes: int


def read_medium(medium: Path) -> InstallMedium:
    """Returns what the medium mounted at `medium` holds. Raises InstallError."""
    path = medium / "rigforge/medium.json"
    try:
        content = json.loads(path.read_text())
        return InstallMedium(content["id"], tuple(content["layers"]), int(content["rootfs_bytes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(f"{path} cannot be read: {error}", "the medium is damaged: write the image again") from error


def install(screen: Screen) -> str:
    """Installs by the document that is found; returns what the machine is to do then: reboot or poweroff.

    Nothing is written to any disk before the medium has been checked and the disk chosen, and nothing to any other
    disk ever. Raises InstallError, DocumentError; whatever happens, all mounts are undone.
    """
    with screen.stage("reading the autoinstall document"):
        medium = read_medium(MEDIUM)
        # Disks and their labels are known once udev has looked at them.
        run(["udevadm", "settle"])
        text, where = media.find()
        document = parse(text, where)
        # What would end the installation later does it now, while every disk is as it was.
        seed(document, medium.id)
        screen.say(f"document: {where}")
    with screen.stage("checking the medium"):
        check_medium(MEDIUM, screen.progress)
    with screen.stage("choosing the disk"):
        clean_up()
        disk = choose(scan(), document.storage.match, needed_bytes(medium.rootfs_bytes))
        screen.say(f"ERASING {disk}")
    try:
        with screen.stage("partitioning"):
            partition.erase(disk.path)
            volumes = partition.lay_out(disk.path, document.storage)
        fill(screen, medium, document, volumes)
    finally:
        partition.take_down(disk.path)
    with screen.stage("marking the disk as installed"):
        mark(volumes, medium.id)
    return document.shutdown


def fill(screen: Screen, medium: InstallMedium, document: Document, volumes: partition.Volumes) -> None:
    """Makes the empty file systems into the installed system."""
    with copy.mounted_layers(medium.layers, MEDIUM / "live", RUN) as layers:
        with screen.stage("copying the system"), target(volumes):
            copy.copy(layers, TARGET, lambda done: screen.progress(done, medium.rootfs_bytes))
            copy.write_out(TARGET)
        # Mounted anew: what is read then comes from the disk, and not from memory.
        with screen.stage("comparing the copy"), target(volumes), copy.union(layers, RUN) as source:
            copy.compare(source, TARGET)
    # Not before: FAT cannot hold the owners and modes that are copied.
    with target(volumes), mounted_volume(volumes.esp):
        configure.forget_identity(TARGET)
        configure.write_seed(TARGET, document, f"{medium.id[:16]}-{partition.new_uuid()}")
        boot.write_tables(TARGET, volumes)
        with system_folders(TARGET):
            with screen.stage("installing the boot loader"):
                boot.hold_back(TARGET)
                boot.install(TARGET, volumes, screen.say)
            with screen.stage("running late-commands"):
                run_late_commands(document.late_commands, PROGRAMS)
        with screen.stage("writing what is still in memory"):
            # Once more: a late-command may have replaced it.
            boot.check_configuration(TARGET, volumes.root.uuid)
            configure.write_secret(TARGET, "var/log/rigforge/install.log", LOG.read_text(errors="replace"))
            copy.write_out(TARGET)
            boot.let_start(TARGET)
            copy.write_out(TARGET)


@contextmanager
def target(volumes: partition.Volumes) -> Iterator[None]:
    """Mounts the new file systems at /target, but for the one that firmware reads."""
    with ExitStack() as mounts:
        for filesystem in volumes.filesystems[:-1]:
            mounts.enter_context(mounted_volume(filesystem))
        yield


def mounted_volume(filesystem: partition.Filesystem) -> AbstractContextManager[Path]:
    """Mounts a new file system at its place below /target."""
    return mounted("--types", filesystem.type, filesystem.device, at=guest.resolve(TARGET, filesystem.mountpoint))


def mark(volumes: partition.Volumes, medium_id: str) -> None:
    """Writes the file by which the medium knows this disk as installed: the very last thing that is written.

    The medium's menu starts the disk by it.
    """
    esp = volumes.esp
    with mounted("--types", esp.type, esp.device, at=RUN / "esp") as folder:
        marker = folder / "EFI/rigforge" / medium_id
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(boot.start_script(volumes))


def clean_up() -> None:
    """Unmounts what an earlier try, in the same live session, may have left."""
    for folder in (TARGET, RUN / "source", RUN / "esp", *(RUN / "layers").glob("*")):
        if folder.is_mount():
            unmount(folder)


def keep_log() -> None:
    """Lets everything that this process and its children print go to the log."""
    RUN.mkdir(parents=True, exist_ok=True)
    # A late-command or a curious program may print a secret.
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def show_failure(screen: Screen, error: Exception) -> None:
    """Shows what went wrong, what can be done, and the end of the log."""
    with suppress(OSError):
        end = log_end(LOG.read_text(errors="replace").splitlines())
        screen.say("\n".join(["the end of the log:", *(f"| {line}" for line in end)]))
    if isinstance(error, InstallError | DocumentError):
        screen.say(f"FAILED: {error.message}")
        if error.hint:
            screen.say(error.hint)
    else:
        screen.say(f"FAILED: {type(error).__name__}: {error}\nthis is a mistake in the installer; please report it")
    screen.say(f"log: {LOG}; try again: systemctl restart rigforge-install; there is a root shell below")


def log_end(log: list[str]) -> list[str]:
    """Returns the last lines before the failure; what was unmounted after it is of no interest."""
    failed = [number for number, line in enumerate(log) if line.startswith("rigforge: ") and FAILED_AFTER in line]
    end = failed[-1] if failed else len(log)
    return log[max(0, end - LOG_END) : end]


def main() -> int:
    """Installs, and restarts the machine or switches it off; returns 1 when it failed."""
    keep_log()
    screen = Screen(consoles(), STAGES)
    try:
        then = install(screen)
    except Exception as error:
        show_failure(screen, error)
        if not isinstance(error, InstallError | DocumentError):
            traceback.print_exc()
        return 1
    screen.say("installed, switching off" if then == "poweroff" else "installed, rebooting")
    # Everything is unmounted, so there is nothing that services would have to save.
    run(["systemctl", "--force", then])
    return 0


if __name__ == "__main__":
    sys.exit(main())
