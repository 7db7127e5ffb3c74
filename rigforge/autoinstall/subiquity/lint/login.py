"""Who can log in to the installed system, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rigforge.autoinstall.subiquity.document import DOUBTFUL, LOCKED_OUT, NOT_DONE, Finding, table
from rigforge.autoinstall.subiquity.lint import password
from rigforge.autoinstall.subiquity.lint.finding import items, mapping, warning
from rigforge.rules.names import is_username

_KEY = re.compile(r"(^|[\s,\"])((ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-(ssh|ecdsa)-\S+) [A-Za-z0-9+/]+=*)(\s|$)")


@dataclass(frozen=True)
class _User:
    """Somebody whom the document makes. `key` is where, `fault` what is wrong with the password that is meant."""

    key: str
    password: bool
    keys: bool
    fault: Finding | None = None


def warnings(sections: dict[str, Any]) -> Iterator[Finding]:
    """Yields what keeps people out, and which way in is a poor one."""
    if {"identity", "*"} & set(map(str, items(sections.get("interactive-sections")))):
        return
    ssh, data = mapping(sections.get("ssh")), mapping(sections.get("user-data"))
    users = _users(sections, data)
    server = _has_server(sections, ssh, data)
    yield from _username(mapping(sections.get("identity")))
    yield from _no_keys(ssh, data)
    yield from (user.fault for user in users if user.fault)
    somebody = any(user.password or (user.keys and server) for user in users) or _way_in(sections, data)
    if not somebody and not any(user.fault for user in users):
        yield _nobody(sections, users, server)
    else:
        yield from _ssh(ssh, users, server, somebody)


def _users(sections: dict[str, Any], data: dict[str, Any]) -> list[_User]:
    """Returns the users of identity and of user-data, the first of them with what is said of no user by name."""
    ssh = mapping(sections.get("ssh"))
    identity, accounts = mapping(sections.get("identity")), data.get("users")
    first_keys = bool(ssh.get("authorized-keys") or data.get("ssh_authorized_keys") or data.get("ssh_import_id"))
    first_password = isinstance(data.get("password"), str)
    users = [_of_identity(identity, first_keys, first_password)] if identity else []
    if isinstance(accounts, str):
        accounts = [{"name": name.strip()} if name.strip() != "default" else "default" for name in accounts.split(",")]
    elif accounts is None and not identity and sections.get("user-data") is not None:
        accounts = ["default"]
    with_chpasswd = _of_chpasswd(data)
    for number, user in enumerate(items(accounts)):
        first = not users
        if isinstance(user, dict):
            key = f"user-data.users[{number}]"
            users.append(_of_user_data(key, user, with_chpasswd, first and first_keys, first and first_password))
        else:
            users.append(_User("user-data.users", first and first_password, first and first_keys))
    return users


def _of_identity(identity: dict[str, Any], keys: bool, has_password: bool) -> _User:
    value, fault = identity.get("password"), None
    if isinstance(value, str):
        flaw, cure = password.doubt(value)
        weak, stronger = password.weakness(value)
        if flaw and not has_password:
            fault = warning("identity.password", flaw, cure, NOT_DONE if keys else LOCKED_OUT)
        elif weak:
            fault = warning("identity.password", weak, stronger)
        has_password = has_password or not (flaw or password.is_locked(value))
    return _User("identity", has_password, keys, fault)


def _of_user_data(key: str, user: dict[str, Any], with_chpasswd: set[str], keys: bool, has_password: bool) -> _User:
    spelled = {str(name).replace("-", "_"): name for name in user}
    values = {name: user[as_written] for name, as_written in spelled.items()}
    keys = keys or bool(values.get("ssh_authorized_keys") or values.get("ssh_import_id"))
    has_password = has_password or bool({str(values.get("name")), ""} & with_chpasswd) or "snapuser" in values
    fault = None
    field = next((name for name in ("plain_text_passwd", "hashed_passwd", "passwd") if values.get(name)), None)
    if field and not has_password:
        harm = NOT_DONE if keys else LOCKED_OUT
        place, value = f"{key}.{spelled[field]}", str(values[field])
        flaw, cure = password.doubt(value) if field != "plain_text_passwd" else ("", "")
        if field == "plain_text_passwd" and re.match(r"\$\w+\$.{20}", value):
            flaw, cure = "it is a hash, and taken as the password itself", "call it hashed_passwd"
        if values.get("lock_passwd", True) is not False and not password.is_locked(value):
            flaw, cure = (
                "the password is locked, since lock_passwd is true where nothing is said",
                "lock_passwd: false",
            )
        fault = warning(place, flaw, cure, harm) if flaw else None
        has_password = not flaw and not password.is_locked(value)
    return _User(key, has_password, keys, fault)


def _of_chpasswd(data: dict[str, Any]) -> set[str]:
    """Returns the names of the users that chpasswd gives a password; it unlocks them."""
    section = mapping(data.get("chpasswd"))
    lines = section.get("list")
    names = {str(mapping(user).get("name")) for user in items(section.get("users"))}
    entries = lines.splitlines() if isinstance(lines, str) else items(lines)
    return names | {str(line).partition(":")[0].strip() for line in entries if ":" in str(line)}


def _has_server(sections: dict[str, Any], ssh: dict[str, Any], data: dict[str, Any]) -> bool:
    """Tells whether an SSH server will run, or may well be in the source that is installed."""
    lists = table("lint")["lists"]
    packages = {str(name) for part in (sections, data) for name in items(part.get("packages"))}
    source = mapping(sections.get("source")).get("id")
    return (
        ssh.get("install-server") is True
        or bool(packages & set(lists["ssh_servers"]))
        or any("openssh-server" in text for text in _texts(sections, data))
        or (source is not None and source not in lists["canonical_sources"])
    )


def _way_in(sections: dict[str, Any], data: dict[str, Any]) -> bool:
    """Tells whether a command or a file may give somebody a way in."""
    words = table("lint")["lists"]["ways_in"]
    return any(word in text for text in _texts(sections, data) for word in words)


def _texts(sections: dict[str, Any], data: dict[str, Any]) -> list[str]:
    commands = items(sections.get("late-commands")) + items(data.get("runcmd")) + items(data.get("bootcmd"))
    return list(map(str, commands + items(data.get("write_files"))))


def _username(identity: dict[str, Any]) -> Iterator[Finding]:
    name = identity.get("username")
    reserved = table("names")["names"]["reserved"]
    if isinstance(name, str) and (name in reserved or not is_username(name)):
        hint = "a-z, 0-9, _ and -, no system's name"
        yield warning("identity.username", f"{name!r} cannot be made a user", hint, LOCKED_OUT)


def _no_keys(ssh: dict[str, Any], data: dict[str, Any]) -> Iterator[Finding]:
    places = {"ssh.authorized-keys": ssh.get("authorized-keys")}
    places["user-data.ssh_authorized_keys"] = data.get("ssh_authorized_keys")
    for number, user in enumerate(items(data.get("users"))):
        for name in ("ssh_authorized_keys", "ssh-authorized-keys"):
            places[f"user-data.users[{number}].{name}"] = mapping(user).get(name)
    for place, keys in places.items():
        for number, key in enumerate(items(keys)):
            if isinstance(key, str) and not _KEY.search(key):
                yield warning(f"{place}[{number}]", "it is no public key", "one line of a .pub file", NOT_DONE)


def _nobody(sections: dict[str, Any], users: list[_User], server: bool) -> Finding:
    if any(user.keys for user in users) and not server:
        message = "nobody can log in: there are keys alone, and no SSH server will run"
        return warning("ssh.install-server", message, "install-server: true", LOCKED_OUT)
    place = users[0].key if users else "user-data" if "user-data" in sections else "identity"
    hint = "give a user a key, or a password and lock_passwd: false"
    if place == "identity":
        hint = "a password (openssl passwd -6), or a key in ssh.authorized-keys"
    return warning(place, "nobody can log in: no user has a key or a password that works", hint, LOCKED_OUT)


def _ssh(ssh: dict[str, Any], users: list[_User], server: bool, somebody: bool) -> Iterator[Finding]:
    keys = any(user.keys for user in users)
    if not server:
        # Who says no, and gives no key, means it.
        if keys or ("install-server" not in ssh and ssh.get("allow-pw") is True):
            yield warning("ssh.install-server", "no SSH server will run", "install-server: true", NOT_DONE)
    elif ssh.get("install-server") is True and not keys:
        if ssh.get("allow-pw") is False:
            message = "SSH takes neither keys nor passwords: nobody gets in by it"
            yield warning("ssh.authorized-keys", message, "name a key", LOCKED_OUT)
        elif somebody and not ssh.keys() - {"install-server"}:
            yield warning(
                "ssh.authorized-keys", "SSH takes passwords alone", "name a key, and allow-pw: false", DOUBTFUL
            )
