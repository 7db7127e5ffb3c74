"""The autoinstall document: what the installer does without asking.

A subset of the format of Canonical's installer, version 1; everything outside it is refused. docs/autoinstall.md
describes the subset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rigforge.installer import localization
from rigforge.installer.localization import Keyboard
from rigforge.installer.login import Identity, Ssh, check_login, read_identity, read_ssh
from rigforge.installer.network_section import read_network
from rigforge.installer.section import MANUAL, DocumentError, DocumentSection, kind, load
from rigforge.installer.storage_section import DiskLayout, read_storage
from rigforge.installer.user_data_section import read_user_data
from rigforge.rules import network

__all__ = ["DiskLayout", "Document", "DocumentError", "Identity", "Keyboard", "Ssh", "parse"]

#: The sections of the subset.
KNOWN = (
    "version",
    "locale",
    "keyboard",
    "timezone",
    "identity",
    "ssh",
    "storage",
    "network",
    "late-commands",
    "user-data",
    "shutdown",
)

#: The sections outside it, with the reason; source of the names: the published schema of version 1.
REFUSED = {
    "active-directory": "machines join no domain while they are installed",
    "apt": "the stack says which archives the system uses",
    "codecs": "nothing is fetched during the installation",
    "debconf-selections": "packages are configured when the medium is built",
    "drivers": "the driver is part of the system on the medium",
    "early-commands": "nothing runs before the disk is chosen; there are late-commands",
    "error-commands": "on an error it keeps the log and offers a shell",
    "interactive-sections": "it asks nothing",
    "kernel": "the kernel is part of the system on the medium, and the driver is built for it",
    "kernel-crash-dumps": "the system has no crash kernel",
    "oem": "nothing is fetched during the installation",
    "packages": "packages belong into the stack, which locks them",
    "proxy": "nothing is fetched during the installation",
    "refresh-installer": "the installer comes with the medium",
    "reporting": "progress goes to the screen and the serial line",
    "snaps": "the system has no snaps",
    "source": "the medium holds one system",
    "ubuntu-advantage": "this is for Ubuntu",
    "ubuntu-pro": "this is for Ubuntu",
    "updates": "nothing is fetched during the installation",
    "zdevs": "this is for IBM Z",
}

#: Null means that these are left out. Of a section outside the subset null asks for nothing, so it is no error.
NULLABLE = frozenset({"keyboard", "ssh", "storage", "user-data", "kernel", "source"})


@dataclass(frozen=True)
class Document:
    """A checked autoinstall document, with every default filled in.

    `network` is netplan's mapping with its `version`, `user_data` cloud-config to be merged into the seed; `shutdown`
    is reboot or poweroff. A late-command is a line for the shell, or the words of one command.
    """

    identity: Identity
    ssh: Ssh
    storage: DiskLayout
    locale: str = "en_US.UTF-8"
    keyboard: Keyboard = field(default_factory=Keyboard)
    timezone: str = "Etc/UTC"
    network: Mapping[str, Any] = field(default_factory=lambda: network.DEFAULT)
    late_commands: tuple[str | tuple[str, ...], ...] = ()
    user_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    shutdown: str = "reboot"


def parse(text: str, where: str, *, root: Path = Path("/")) -> Document:
    """Returns the document in `text`, bare or under `autoinstall:`; `where` is its origin, for messages.

    Locale, keyboard and time zone are checked against the data below `root` as far as it is there.
    Raises DocumentError.
    """
    top = DocumentSection(where, "", _unwrapped(load(text, where), where), KNOWN, REFUSED)
    version = top.get("version")
    if isinstance(version, bool) or version != 1:
        problem = "is missing" if "version" not in top else "must be the number 1"
        raise top.error("version", problem, "add the line: version: 1")
    if "identity" not in top:
        hint = "identity: {hostname: …, username: …}"
        raise top.error("identity", "is missing: nobody could log in without a user", hint)
    identity = read_identity(where, top.get("identity"))
    ssh = read_ssh(where, top.values.get("ssh", {}))
    check_login(where, identity, ssh)
    return Document(
        identity=identity,
        ssh=ssh,
        storage=read_storage(where, top.get("storage")),
        locale=localization.locale(top, root),
        keyboard=localization.keyboard(top, root),
        timezone=localization.timezone(top, root),
        network=read_network(where, top.get("network")) if "network" in top else network.DEFAULT,
        late_commands=_late_commands(top),
        user_data=read_user_data(where, top.get("user-data"), identity.username),
        shutdown=top.choice("shutdown", ("reboot", "poweroff"), "reboot"),
    )


def _unwrapped(value: object, where: str) -> object:
    if isinstance(value, dict) and "autoinstall" in value:
        if len(value) > 1:
            others = ", ".join(repr(key) for key in value if key != "autoinstall")
            problem = f"must be the only top-level key, but there is {others} too"
            raise DocumentError(where, "autoinstall", problem, "put cloud-config for the first boot under user-data")
        value = value["autoinstall"]
    if not isinstance(value, dict):
        raise DocumentError(where, "", f"is not an autoinstall document but {kind(value)}", MANUAL)
    return {key: section for key, section in value.items() if section is not None or key not in NULLABLE}


def _late_commands(top: DocumentSection) -> tuple[str | tuple[str, ...], ...]:
    commands = top.values.get("late-commands", [])
    if not isinstance(commands, list):
        raise top.error("late-commands", f"must be a list, not {kind(commands)}")
    for number, command in enumerate(commands):
        words = command if isinstance(command, list) else [command]
        if not words or not all(isinstance(word, str) and word and "\0" not in word for word in words):
            hint = "put quotes around it: YAML takes ': ' for a mapping" if isinstance(command, dict) else ""
            raise top.error(f"late-commands[{number}]", f"must be text or a list of texts, not {kind(command)}", hint)
    return tuple(tuple(command) if isinstance(command, list) else command for command in commands)
