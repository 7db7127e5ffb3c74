"""What the installer accepts, and people regret: each warning says what will happen, and its cure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from rigforge.autoinstall.subiquity.accepted import Release, known
from rigforge.autoinstall.subiquity.document import Document, Finding, table

_HASH = re.compile(r"\$(?P<method>[0-9a-z]+)\$")
_WEAK = {"1": "MD5", "md5": "MD5", "3": "NT", "sha1": "SHA-1"}
_KEY = re.compile(r"(ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-(ssh|ecdsa)-\S+) [A-Za-z0-9+/=]+")
_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LAYOUTS = ("direct", "lvm", "zfs", "dd", "hybrid")
_MATCH = ("serial", "model", "vendor", "path", "id_path", "devpath", "ssd", "install-media", "size")


def warnings(document: Document, release: Release) -> Iterator[Finding]:
    """Yields what is doubtful about a document that a release's installer may well accept."""
    sections = document.sections
    yield from _text(document)
    yield from _unknown(sections, release)
    yield from _login(sections)
    yield from _storage(sections)
    yield from _network_needed(sections)
    yield from _commands(sections)
    if sections.get("interactive-sections"):
        yield _warning("interactive-sections", "the installer stops there and asks", "remove it to install unattended")
    if isinstance(sections.get("version"), float):
        yield _warning("version", "it is 1.0", "version: 1")
    proxy = sections.get("proxy")
    if isinstance(proxy, str) and not re.match(r"https?://", proxy):
        yield _warning("proxy", f"{proxy!r} is no address of a proxy", "http://HOST:PORT")
    locale = sections.get("locale")
    if isinstance(locale, str) and not re.fullmatch(r"[A-Za-z_@.0-9-]+\.UTF-8|C\.UTF-8", locale):
        yield _warning("locale", f"{locale!r} is no UTF-8 locale, and nobody checks it", "such as en_US.UTF-8")


def _text(document: Document) -> Iterator[Finding]:
    for key in document.repeated:
        yield _warning(key, "it is there twice, and only the last counts", "keep one")


def _unknown(sections: dict[str, Any], release: Release) -> Iterator[Finding]:
    names = known(release)
    for name in sections:
        if name in names:
            continue
        since = table("sections").get(name, {}).get("since") if isinstance(name, str) else None
        near = difflib.get_close_matches(str(name).replace("_", "-"), names, n=1)
        hint = f"known from {since} on" if since else f"did you mean {near[0]}?" if near else "remove it"
        yield _warning(str(name), f"the installer of {release} does not know it, and ignores it", hint)


def _login(sections: dict[str, Any]) -> Iterator[Finding]:
    identity, ssh, data = (_mapping(sections.get(name)) for name in ("identity", "ssh", "user-data"))
    password = identity.get("password")
    if isinstance(password, str):
        method = _HASH.match(password)
        if not method and password not in ("*", "!"):
            yield _warning("identity.password", "it is no hash: nobody could log in with it", "openssl passwd -6")
        elif method and method["method"] in _WEAK:
            yield _warning("identity.password", f"{_WEAK[method['method']]} is broken quickly", "openssl passwd -6")
    hostname = identity.get("hostname")
    if isinstance(hostname, str) and not _HOSTNAME.fullmatch(hostname):
        yield _warning("identity.hostname", f"{hostname!r} is no host name", "letters, digits and -")
    name = identity.get("username")
    if isinstance(name, str) and (
        name in table("names")["names"]["reserved"] or not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name)
    ):
        yield _warning("identity.username", f"{name!r} cannot be made a user", "a-z, 0-9, _ and -, no system's name")
    if not identity and "user-data" in sections and not data.get("users"):
        yield _warning("user-data.users", "without identity and users nobody can log in", "name a user")
    keys = ssh.get("authorized-keys") or []
    if ssh.get("install-server") is not True:
        yield _warning("ssh.install-server", "no SSH server will run", "install-server: true")
    elif not keys and ssh.get("allow-pw", True):
        yield _warning("ssh.authorized-keys", "SSH takes passwords alone", "name a key, and allow-pw: false")
    elif not keys:
        yield _warning("ssh.authorized-keys", "neither keys nor passwords: nobody gets in", "name a key")
    for number, key in enumerate(_list(keys)):
        if isinstance(key, str) and not _KEY.match(key):
            yield _warning(f"ssh.authorized-keys[{number}]", "it is no public key", "one line of a .pub file")
    for number, file in enumerate(_list(data.get("write_files"))):
        if isinstance(file, dict) and isinstance(file.get("permissions"), int):
            yield _warning(f"user-data.write_files[{number}].permissions", "YAML reads it as a number", "'0644'")


def _storage(sections: dict[str, Any]) -> Iterator[Finding]:
    storage = sections.get("storage")
    if storage is None:
        yield _warning("storage", "without it the largest disk is erased, for LVM", "name a layout, and match the disk")
        return
    storage = _mapping(storage)
    if "layout" in storage and "config" in storage:
        yield _warning("storage.config", "there is a layout too, and only that counts", "keep one")
    layout = _mapping(storage.get("layout"))
    if not layout:
        return
    name, match = layout.get("name"), layout.get("match")
    if name not in _LAYOUTS:
        yield _warning("storage.layout.name", f"{name!r} is none: it is taken for direct", "direct, lvm or zfs")
    if layout.get("password") is not None and name not in ("lvm", "zfs"):
        yield _warning("storage.layout.password", f"with {name} nothing is encrypted", "name: lvm or zfs")
    if name == "lvm" and layout.get("sizing-policy") != "all":
        yield _warning("storage.layout.sizing-policy", "a part of the disk stays unused", "sizing-policy: all")
    if match is None:
        yield _warning("storage.layout.match", "the largest disk is erased, whichever it is", "match: {serial: …}")
    for each in match if isinstance(match, list) else [match]:
        for key in _mapping(each):
            if key not in _MATCH:
                yield _warning(f"storage.layout.match.{key}", "it is ignored", f"known are: {', '.join(_MATCH)}")
        if _mapping(each).get("size") not in (None, "smallest", "largest"):
            yield _warning("storage.layout.match.size", "it is ignored", "smallest or largest")


def _network_needed(sections: dict[str, Any]) -> Iterator[Finding]:
    for name in ("drivers", "codecs", "oem"):
        if _mapping(sections.get(name)).get("install") in (True, "auto"):
            yield _warning(f"{name}.install", "it needs the network", "install: false")
    for name in ("packages", "snaps"):
        if sections.get(name):
            yield _warning(
                name, "they need the network, or a pool on the medium that has them", "put them into the image"
            )
    if _mapping(sections.get("refresh-installer")).get("update"):
        yield _warning("refresh-installer.update", "it needs the network, and another installer runs", "update: false")
    if _mapping(sections.get("source")).get("search_drivers", True):
        yield _warning("source.search_drivers", "drivers are looked for in the network", "search_drivers: false")
    if "fallback" not in _mapping(sections.get("apt")):
        yield _warning("apt.fallback", "with a network but no archive the installation ends", "offline-install")


def _commands(sections: dict[str, Any]) -> Iterator[Finding]:
    for number, command in enumerate(_list(sections.get("late-commands"))):
        text = " ".join(map(str, command)) if isinstance(command, list) else str(command)
        key = f"late-commands[{number}]"
        if isinstance(command, list) and len(command) == 1 and " " in text:
            yield _warning(key, "a list is one word each, and no shell", "make it a string, or split it")
        elif "/target" not in text and "in-target" not in text:
            yield _warning(key, "it runs in the installer, not in the installed system", "curtin in-target -- COMMAND")
        elif re.search(r"in-target\b(?!.*\s--(\s|$)).*\s-\w", text):
            yield _warning(key, "curtin takes the command's options for its own", "curtin in-target -- COMMAND")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _warning(key: str, message: str, hint: str) -> Finding:
    return Finding("warning", key, message, hint)
