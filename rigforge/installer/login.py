"""Who can log in: the user, the password's hash, and the SSH keys."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from rigforge.installer.section import DocumentError, DocumentSection
from rigforge.rules import names, ssh_keys

#: crypt(5) formats that Debian's libcrypt accepts and that still resist guessing.
_HASHES = (
    r"\$(?:y|gy)\$[./0-9A-Za-z]+\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}",
    r"\$7\$[./0-9A-Za-z]{11,97}\$[./0-9A-Za-z]{43}",
    r"\$2[aby]\$[0-9]{2}\$[./0-9A-Za-z]{53}",
    r"\$6\$(?:rounds=[0-9]{4,9}\$)?[^$:\s]{1,16}\$[./0-9A-Za-z]{86}",
    r"\$5\$(?:rounds=[0-9]{4,9}\$)?[^$:\s]{1,16}\$[./0-9A-Za-z]{43}",
)
_HASH_HINT = (
    "make a hash with `mkpasswd -m yescrypt` (package whois) or `openssl passwd -6`, and put it in single quotes"
)

_KEY_HINT = "give one line of a .pub file, for example the content of ~/.ssh/id_ed25519.pub"


#: Read by the SSH server, and by the machine's report.
ALLOWED = "etc/ssh/sshd_config.d/rigforge-users.conf"


@dataclass(frozen=True)
class Identity:
    """The machine's name, with or without a domain, and its one user.

    `password` is a crypt(5) hash, None for no password.
    """

    hostname: str
    username: str
    realname: str = ""
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Ssh:
    """Who may log in over SSH; `allow_pw`: with the password too."""

    authorized_keys: tuple[str, ...] = ()
    allow_pw: bool = False


def allow_users(names: Iterable[str]) -> str:
    """Returns the text of `ALLOWED`, sshd_config(5): these users may log in over SSH, and nobody else."""
    return f"AllowUsers {' '.join(names)}\n"


def read_identity(where: str, value: object) -> Identity:
    """Returns the `identity` section."""
    section = DocumentSection(
        where,
        "identity",
        value,
        ("hostname", "username", "realname", "password"),
        {"groups": "the user is in sudo, adm, video and render; others go into late-commands"},
    )
    hostname = section.text("hostname")
    if not names.is_hostname(hostname) or hostname == "localhost":
        raise section.error(
            "hostname",
            f"{hostname!r} is not a host name",
            "letters, digits and inner hyphens, with or without a domain, at most 64 characters",
        )
    realname = section.text("realname", "")
    if ":" in realname or len(realname) > 200:
        raise section.error("realname", "must be at most 200 characters without a colon")
    return Identity(hostname, username(section, "username"), realname, password_hash(section, "password"))


def read_ssh(where: str, value: object) -> Ssh:
    """Returns the `ssh` section. Unless it says otherwise, SSH takes passwords only where there is no key."""
    section = DocumentSection(where, "ssh", value, ("install-server", "authorized-keys", "allow-pw"))
    if section.flag("install-server") is False:
        raise section.error(
            "install-server",
            "the SSH server is part of the system on the medium",
            "to switch it off, add the late-command: curtin in-target -- systemctl disable ssh",
        )
    keys = public_keys(section, "authorized-keys")
    allowed = section.flag("allow-pw")
    return Ssh(keys, not keys if allowed is None else allowed)


def check_login(where: str, identity: Identity, ssh: Ssh) -> None:
    """Raises DocumentError for a machine that nobody could log in to."""
    if ssh.allow_pw and identity.password is None and ssh.authorized_keys:
        raise DocumentError(where, "ssh.allow-pw", "there is no identity.password to log in with", _HASH_HINT)
    if identity.password is None and not ssh.authorized_keys:
        raise DocumentError(
            where, "ssh.authorized-keys", "nobody could log in: there is neither an SSH key nor a password", _KEY_HINT
        )


def username(section: DocumentSection, key: str) -> str:
    """Returns the value of `key`, a user name that useradd takes and the system does not need for itself."""
    name = section.text(key)
    if not names.is_username(name):
        raise section.error(
            key,
            f"{name!r} is not a user name" if name else "is empty",
            "a lower-case letter or _, then lower-case letters, digits, - and _, at most 32",
        )
    if name in names.RESERVED:
        raise section.error(key, f"{name!r} is reserved by the system", "choose another name")
    return name


def password_hash(section: DocumentSection, key: str) -> str | None:
    """Returns the value of `key`, a crypt(5) hash, or None where the key is absent."""
    if key not in section:
        return None
    value = section.text(key)
    if not value:
        raise section.error(key, "is empty", f"leave the key out for no password, or {_HASH_HINT}")
    if any(re.fullmatch(pattern, value) for pattern in _HASHES):
        if _is_hash_of_nothing(value):
            raise section.error(key, "is the hash of an empty password: anybody could log in", _HASH_HINT)
        return value
    if value[0] in "!*":
        raise section.error(key, "is locked: nobody could log in with it", "leave the key out for no password")
    if re.match(r"\$1\$|[./0-9A-Za-z]{13}$", value):
        raise section.error(key, "is plain text or a hash too weak to keep", _HASH_HINT)
    if re.match(r"\$(?:[567y]|gy|2[abxy])\$", value):
        raise section.error(key, "is a damaged hash", f"a shell eats $ in double quotes: {_HASH_HINT}")
    raise section.error(key, "is plain text; only a hash is taken", _HASH_HINT)


def _is_hash_of_nothing(value: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import crypt
        except ImportError:
            return False
        try:
            return crypt.crypt("", value) == value
        except OSError:
            return False


def public_keys(section: DocumentSection, key: str) -> tuple[str, ...]:
    """Returns the list under `key`, lines of authorized_keys(5), each with a public key that OpenSSH reads."""
    keys = section.texts(key)
    for line in keys:
        if "PRIVATE KEY" in line:
            raise section.error(key, "holds a private key", f"never give it away; {_KEY_HINT}")
        if not ssh_keys.is_public_key(line):
            excerpt = line if len(line) < 40 else line[:36] + "…"
            raise section.error(key, f"{excerpt!r} is not an SSH public key", _KEY_HINT)
    return keys
