"""Values of a site that nobody but its builder may read: which they are, and how they come without being seen."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from getpass import getpass
from pathlib import Path
from typing import Any

from rigforge import console
from rigforge.errors import RigforgeError, UsageError

#: Keys whose values are secrets.
SECRETS = ("machine.password_hash", "storage.passphrase")

#: The variable with the passphrase of the disk.
PASSPHRASE_VARIABLE = "RIGFORGE_PASSPHRASE"

#: Netplan's keys of secrets, wherever in `network` they are.
NETWORK_SECRETS = ("password", "client-key-password")


def held(tables: Mapping[str, Any]) -> list[str]:
    """Returns the keys of a site's tables that hold a secret, sorted.

    >>> held({"storage": {"passphrase": "x"}, "network": {"wifis": {"w": {"access-points": {"a": {"password": "y"}}}}}})
    ['network', 'storage.passphrase']
    """
    keys = [key for key in SECRETS if _at(tables, key)]
    return sorted([*keys, "network"] if _any_in(tables.get("network")) else keys)


def caution(name: str, keys: Iterable[str]) -> str:
    """Returns what is said of a file that was made with secrets: their keys, and who must not have it."""
    return f"{name} holds {' and '.join(keys)}: give it to nobody who may not know it"


def given(key: str, text: str) -> str:
    """Returns the secret that `--set KEY=TEXT` names: `@FILE` has it, for `@` alone the terminal is asked.

    Any other text is the secret itself, and a warning says who sees it. Raises RigforgeError, UsageError.
    """
    option = f"--set {key}"
    if not text.startswith("@"):
        console.warn(f"{option}: every user of this machine can see it while this runs; write {key}=@FILE, or {key}=@")
        return text
    return ask(f"{key}: ", twice=True) if text == "@" else _first_line(Path(text[1:]).expanduser(), option)


def ask(prompt: str, *, twice: bool = False) -> str:
    """Returns what is typed on the terminal, unseen, `twice` against typing errors; or standard input's first line.

    "" where there is neither. Raises UsageError where the two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    try:
        secret = getpass(prompt)
        if twice and getpass(f"{prompt}once more: ") != secret:
            raise UsageError(f"{prompt.rstrip(': ')}: that was not the same twice", "run the same command again")
    except EOFError:
        return ""
    return secret


def warn_of_readers(path: Path, label: str, tables: Mapping[str, Any]) -> None:
    """Warns where others than its owner may read a file that holds secrets; messages have it as `label`."""
    if (keys := held(tables)) and path.stat().st_mode & 0o044:
        console.warn(f"{label}: others may read {', '.join(keys)}: chmod 600 {label}")


def _first_line(path: Path, option: str) -> str:
    try:
        secret, *rest = path.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RigforgeError(
            f"{option}: cannot read {path}: {reason}", "write @ and a file whose one line it is"
        ) from None
    if not secret or rest:
        raise RigforgeError(f"{option}: {path} is not one line", "write nothing but the secret in it")
    return secret


def _at(tables: Mapping[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    table = tables.get(section)
    return table.get(name) if isinstance(table, Mapping) else None


def _any_in(value: Any) -> bool:
    match value:
        case dict():
            return any((key in NETWORK_SECRETS and item) or _any_in(item) for key, item in value.items())
        case list():
            return any(map(_any_in, value))
    return False
