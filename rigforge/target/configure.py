"""What makes a copy of the layers into one machine: no identity of its own yet, and the seed that gives it one."""

from __future__ import annotations

from pathlib import Path

from rigforge.target import seed
from rigforge.target.document import Document
from rigforge.target.login import ALLOWED, allow_users

#: Where cloud-init is told to take the seed and nothing else.
DATASOURCE = "etc/cloud/cloud.cfg.d/90-rigforge.cfg"


def forget_identity(target: Path) -> None:
    """Removes what must differ between machines; systemd and cloud-init make it anew on the first boot."""
    (target / "etc/machine-id").write_text("")
    for path in (target / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    for name in ("var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret"):
        path = target / name
        if not path.is_symlink():
            path.unlink(missing_ok=True)


def write_seed(target: Path, document: Document, instance_id: str) -> None:
    """Writes the NoCloud seed of the first boot, and what must be there before: name, keyboard, who logs in, where the
    seed is."""
    for name, content in seed.seed(document, instance_id).items():
        write_secret(target / seed.DIRECTORY / name, content)
    (target / DATASOURCE).write_text(seed.DATASOURCE)
    (target / "etc/hostname").write_text(document.identity.hostname.split(".")[0] + "\n")
    (target / "etc/hosts").write_text(seed.hosts_file(document.identity.hostname))
    (target / "etc/default/keyboard").write_text(seed.keyboard_file(document.keyboard))
    (target / ALLOWED).parent.mkdir(parents=True, exist_ok=True)
    (target / ALLOWED).write_text(allow_users(users(document)))


def users(document: Document) -> list[str]:
    """Returns the names of all users that the first boot makes."""
    return [document.identity.username, *(user["name"] for user in document.user_data.get("users", []))]


def write_secret(path: Path, content: str) -> None:
    """Writes a file that only root can read; it is at no moment readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(content)
