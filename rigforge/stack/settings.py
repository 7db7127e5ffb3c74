"""What `--set key=value` says, as the tables of a stack."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rigforge.errors import RigforgeError, UsageError
from rigforge.stack.merge import PARENT, Source
from rigforge.stack.model import SITE, Stack
from rigforge.stack.secrets import SECRETS, given
from rigforge.stack.validation_errors import did_you_mean, model_at

#: Short forms of the values that nearly every machine needs.
SHORT = {
    "hostname": "machine.hostname",
    "user": "machine.username",
    "ssh_key": "machine.ssh_authorized_keys",
    "disk": "storage.match",
}


def settings(sets: Iterable[str]) -> list[Source]:
    """Returns one source for each `key=value`, in their order.

    A value is TOML (`true`, `["a", "b"]`), or plain text where it is none or where the key holds text.
    Keys are those of the site's sections, or one of `SHORT`. The first ssh_key replaces the keys of
    stack and site, each further one is added. For a secret, see `rigforge.stack.secrets.given`.
    Raises UsageError where there is no `=`, RigforgeError for a key that is no site's value.
    """
    sources: list[Source] = []
    for text in sets:
        key, separator, value = (part.strip() for part in text.partition("="))
        option = f"--set {key}"
        if not separator:
            raise UsageError(
                f"--set {text}: there is no value", "write --set key=value, for example --set hostname=gpu1"
            )
        if key in SHORT:
            site_value = _short(key, value, option, first=all(source.where != option for source in sources))
        else:
            _check(key, option)
            site_value = given(key, value) if key in SECRETS else _value(key, value)
        sources.append(Source(option, _nested(SHORT.get(key, key), site_value)))
    return sources


def _short(key: str, value: str, option: str, *, first: bool) -> Any:
    match key:
        case "ssh_key":
            return [_ssh_key(value, option)] if first else [PARENT, _ssh_key(value, option)]
        case "disk":
            return [{"path": value}]
    return value


def _ssh_key(value: str, option: str) -> str:
    """A key itself has a space in it; one word is the path of a file."""
    if " " in value:
        return value
    try:
        return Path(value).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError, RuntimeError) as error:
        raise RigforgeError(
            f"{option}: cannot read {value}: {getattr(error, 'strerror', None) or error}",
            "give a public key (ssh-ed25519 AAAA… comment) or the path of its .pub file",
        ) from None


def _check(key: str, option: str) -> None:
    section, dot, _ = key.partition(".")
    if section in SITE and (dot or section == "network"):
        return
    if section in Stack.model_fields and section not in SITE:
        raise RigforgeError(
            f"{option}: belongs to the stack, and the lock is made from it; only a site's values can be set",
            "edit the stack, or write one of your own that says `extends`",
        )
    site_keys = [f"{section}.{name}" for section in SITE for name in _names(section)]
    suggestion = did_you_mean(key, [*SHORT, *site_keys])
    raise RigforgeError(f"{option}: unknown key{suggestion}", f"keys: {', '.join([*SHORT, *site_keys, 'network'])}")


def _names(section: str) -> list[str]:
    model = model_at(Stack, (section,))
    return list(model.model_fields) if model else []


def _value(key: str, value: str) -> Any:
    *table, name = key.split(".")
    model = model_at(Stack, tuple(table))
    field = model.model_fields.get(name) if model else None
    try:
        document = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return value
    toml_value = document["value"]
    # A name of digits is still text.
    if len(document) > 1 or (field and field.annotation is str and not isinstance(toml_value, str)):
        return value
    return toml_value


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)
