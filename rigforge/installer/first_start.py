"""The first start of a VM disk: it takes the document that the installer takes, and becomes the machine of it.

A volume labelled CIDATA that holds something else, or none, is cloud-init's matter.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from rigforge import guest
from rigforge.installer import command, configure, media
from rigforge.installer.document import Document, DocumentError, parse
from rigforge.installer.errors import InstallError
from rigforge.installer.late_commands import run_late_commands
from rigforge.installer.mounts import mounted
from rigforge.installer.partition import new_uuid
from rigforge.installer.screen import Screen, consoles
from rigforge.installer.section import load
from rigforge.installer.seed import seed

#: What starts this program, and is gone once it has done its work: an installed machine has none of it.
UNIT = "etc/systemd/system/rigforge-first-start.service"
STARTED_BY = "etc/systemd/system/sysinit.target.wants/rigforge-first-start.service"

#: A folder that late-commands know the machine by, and one for what stands for curtin.
TARGET = "target"
PROGRAMS = Path("/run/rigforge/bin")

#: Where cloud-init's generator says that it has seen no answers. It runs before all disks are there.
SWITCHED_OFF = Path("/run/cloud-init/disabled")

#: Where the volume is seen meanwhile.
CIDATA = Path("/run/rigforge/cidata")

#: What user-data begins with that cloud-init alone reads, and that may be no YAML: gzip, and the marks of its formats
#: (`INCLUSION_TYPES_MAP` in cloudinit/handlers/__init__.py; as there in any case of letters and behind blank lines).
CLOUD_INITS = (
    b"\x1f\x8b",
    b"#!",
    b"## template:",
    b"content-type:",
    b"mime-version:",
    b"#include",
    b"#cloud-boothook",
    b"#part-handler",
)

#: How long a failure can be read before the machine switches itself off (seconds).
PATIENCE = 60


def first_start(root: Path = Path("/")) -> str:
    """Makes the machine by the document on a volume labelled CIDATA; returns what was done, in words, "" for nothing.

    Nothing is written before the document has been checked. Raises InstallError, DocumentError.
    """
    command.run(["udevadm", "settle"])
    volumes = media.cidata_volumes()
    if len(volumes) == 1 and is_cloud_inits(volumes[0]):
        forget(root)
        return f"user-data on {volumes[0]} (CIDATA) is no autoinstall document: cloud-init reads it"
    on_volume = media.of_volume()
    if on_volume is None:
        return ""
    text, where = on_volume
    if is_document(text, where):
        document = parse(text, where, root=root)
        refuse(document, where)
        take(document, root, f"rigforge-{new_uuid()}")
        done = f"document: {where}"
    else:
        done = f"{where} is no autoinstall document: cloud-init reads it"
    forget(root)
    return done


def is_cloud_inits(volume: str) -> bool:
    """Tells whether the user-data of a volume, where it has any, is of a kind that cloud-init alone reads."""
    with mounted("--options", "ro,nosuid,nodev,noexec", volume, at=CIDATA) as folder:
        user_data = folder / "user-data"
        if not user_data.is_file():
            return False
        with user_data.open("rb") as file:
            return file.read(4096).lstrip().lower().startswith(CLOUD_INITS)


def is_document(text: str, where: str) -> bool:
    """Tells whether it is an autoinstall document, bare or under `autoinstall:`, and not cloud-init's own."""
    content = load(text, where)
    return isinstance(content, dict) and ("autoinstall" in content or "identity" in content)


def refuse(document: Document, where: str) -> None:
    """Raises DocumentError for what only an installer can do."""
    if document.storage.password is not None:
        problem = "this disk was made without encryption"
        raise DocumentError(where, "storage.layout.password", problem, "install the machine from the ISO")


def take(document: Document, root: Path, instance_id: str) -> None:
    """Writes what the installer writes of a document, and runs its late-commands."""
    seed(document, instance_id)
    configure.write_seed(root, document, instance_id)
    if document.late_commands:
        # A slave: unmounting it must not unmount the machine's own.
        with mounted("--rbind", "--make-rslave", root, at=root / TARGET):
            run_late_commands(document.late_commands, PROGRAMS)
        (root / TARGET).rmdir()


def forget(root: Path) -> None:
    """Keeps this program from being started again."""
    for path in (STARTED_BY, UNIT):
        guest.resolve(root, path, follow=False).unlink(missing_ok=True)


def main() -> int:
    """Makes the machine, and starts it once more where cloud-init would not look for its seed in this start.

    With a document that cannot be carried out the machine goes off, and the next start tries again.
    """
    os.umask(0o022)
    screen = Screen(consoles(), 1)
    try:
        done = first_start()
    except Exception as error:
        if isinstance(error, InstallError | DocumentError):
            screen.say(f"FAILED: {error.message}\n{error.hint}".rstrip())
        else:
            traceback.print_exc()
            screen.say(f"FAILED: {type(error).__name__}: {error}\nthis is a mistake in the program; please report it")
        screen.say(f"nothing will be started; switching off in {PATIENCE} seconds")
        time.sleep(PATIENCE)
        command.run(["systemctl", "--force", "poweroff"])
        return 1
    if done:
        screen.say(done)
        # systemd has read that file already, and some services ask for the name before cloud-init does.
        command.run(["hostname", "--file", "/etc/hostname"])
        if SWITCHED_OFF.exists():
            screen.say("starting once more")
            command.run(["systemctl", "--force", "reboot"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
