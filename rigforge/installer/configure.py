"""Turns a copy of the layers into one machine: no identity of its own yet, and the seed that gives it one."""

from __future__ import annotations

from pathlib import Path

from rigforge import guest
from rigforge.installer import seed
from rigforge.installer.document import Document
from rigforge.installer.login import ALLOWED, allow_users

#: Where cloud-init is told to take the seed and nothing else.
DATASOURCE = "etc/cloud/cloud.cfg.d/90-rigforge.cfg"

#: What a system keeps of the one machine that it ran on: its ids and secrets, and which cards it has.
FORGOTTEN = (
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/rigforge/cards.json",
)


def forget_identity(target: Path) -> None:
    """Removes what must differ between machines; systemd and cloud-init make it anew on the first boot."""
    guest.write(target, "etc/machine-id", "")
    for path in guest.glob(target, "etc/ssh/ssh_host_*"):
        path.unlink()
    for name in FORGOTTEN:
        path = guest.resolve(target, name, follow=False)
        if not path.is_symlink():
            path.unlink(missing_ok=True)


def write_seed(target: Path, document: Document, instance_id: str) -> None:
    """Writes the NoCloud seed of the first boot, and what must be there before: name, keyboard, who logs in, where the
    seed is."""
    for name, content in seed.seed(document, instance_id).items():
        write_secret(target, f"{seed.DIRECTORY}/{name}", content)
    guest.write(target, DATASOURCE, seed.DATASOURCE)
    guest.write(target, "etc/hostname", document.identity.hostname.split(".")[0] + "\n")
    guest.write(target, "etc/hosts", seed.hosts_file(document.identity.hostname))
    guest.write(target, "etc/default/keyboard", seed.keyboard_file(document.keyboard))
    guest.write(target, ALLOWED, allow_users(users(document)))


def users(document: Document) -> list[str]:
    """Returns the names of all users that the first boot makes."""
    return [document.identity.username, *(user["name"] for user in document.user_data.get("users", []))]


def write_secret(target: Path, path: str, content: str) -> None:
    """Writes a file of `target` that only root can read; it is at no moment readable by others."""
    guest.write(target, path, content, 0o600)
