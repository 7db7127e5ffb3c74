"""What differs from machine to machine: no part of the lock, and of no layer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from rigforge.rules.disk_match import Size
from rigforge.stack.section import Section
from rigforge.stack.values import (
    Card,
    DevicePath,
    FullName,
    Hostname,
    Keyboard,
    Locale,
    PasswordHash,
    Port,
    Several,
    SshKey,
    TimeZone,
    Username,
)


class KeyboardLayout(Section):
    """XKB names, as in /etc/default/keyboard."""

    layout: Keyboard = "us"
    variant: Keyboard = ""


class SiteValues(Section):
    """The machine and its first user, who may become root by sudo.

    What no message may quote has no repr (a private key can get among the public ones by mistake).
    """

    hostname: Hostname = "rigforge"
    username: Username = "rig"
    full_name: FullName = ""
    ssh_authorized_keys: Several[SshKey] = Field((), repr=False)
    password_hash: PasswordHash = Field("", repr=False)
    locale: Locale = "en_US.UTF-8"
    keyboard: KeyboardLayout = KeyboardLayout()
    timezone: TimeZone = "Etc/UTC"
    gpus: Several[Card] = ()


class DiskChoice(Section):
    """One rule for the choice of the disk: the fields of `rules.disk_match.DiskMatch`."""

    size: Size | None = None
    ssd: bool | None = None
    serial: str | None = None
    model: str | None = None
    path: DevicePath | None = None


class Storage(Section):
    """The disk to install on (the first rule that fits one), and how it is laid out."""

    layout: Literal["direct", "lvm", "luks", "zfs"] = "direct"
    passphrase: str = Field("", repr=False)
    match: Several[DiskChoice] = ()

    @field_validator("passphrase")
    @classmethod
    def _for_luks_only(cls, passphrase: str, info: ValidationInfo) -> str:
        layout = info.data.get("layout")
        if layout in ("direct", "lvm") and passphrase:
            raise ValueError(f'layout "{layout}" encrypts nothing; set storage.layout = "luks"')
        return passphrase


class Firewall(Section):
    """What may come in besides SSH."""

    open: Several[Port] = ()


class Install(Section):
    """What happens at the end of the installation."""

    late_commands: Several[str | Several[str]] = ()
    shutdown: Literal["reboot", "poweroff"] = "reboot"

    @field_validator("late_commands")
    @classmethod
    def _not_empty(cls, commands: tuple[str | tuple[str, ...], ...]) -> tuple[str | tuple[str, ...], ...]:
        if not all(commands):
            raise ValueError("an empty command")
        return commands


class Jupyter(Section):
    """Who reaches JupyterLab: the machine itself, and so SSH's tunnels, or everybody on its network, over HTTPS."""

    listen: Literal["localhost", "lan"] = "localhost"


class SecureBoot(Section):
    """The Machine Owner Key that signs the NVIDIA module: paths of PEM files (RSA private key, X.509 certificate)."""

    key: str = ""
    certificate: str = ""

    @field_validator("certificate")
    @classmethod
    def _both_or_neither(cls, certificate: str, info: ValidationInfo) -> str:
        if bool(certificate) != bool(info.data.get("key")):
            raise ValueError("secure_boot.key and secure_boot.certificate go together")
        return certificate
