"""Which keys sign and verify: named on the command line, in the environment, or in the user's configuration."""

from __future__ import annotations

import os
from pathlib import Path

from rigforge import paths
from rigforge.attest.minisign import PublicKey, SecretKey
from rigforge.errors import RigforgeError
from rigforge.foreign import path_of
from rigforge.sources.host_config import read_toml
from rigforge.stack.secrets import ask

SECRET_VARIABLE = "RIGFORGE_SIGNING_KEY"
PUBLIC_VARIABLE = "RIGFORGE_PUBLIC_KEY"

#: What the table [signing] of the configuration may hold.
_NAMES = ("key", "public_key")


def secret_key(given: str = "") -> SecretKey:
    """Returns the key in the file `given`, else in that of RIGFORGE_SIGNING_KEY, else in `key` of [signing].

    Raises RigforgeError where none is named, where it is no secret key, and for one that lies in the checkout, from
    which it would be published some day.
    """
    text, folder = _named(given, SECRET_VARIABLE, "key", "secret key")
    path = (folder / path_of(text, "secret key")).absolute()
    if paths.CHECKOUT and path.resolve().is_relative_to(paths.PROJECT.resolve()):
        raise RigforgeError(
            f"the secret key {path} is inside the checkout {paths.PROJECT}",
            "move it out, to ~/.minisign for one: what lies in a checkout is committed or copied some day",
        )
    return SecretKey.read(path)


def public_key(given: str = "") -> PublicKey:
    """Returns the key `given` (a file or base64), else that of RIGFORGE_PUBLIC_KEY, else `public_key` of [signing].

    Raises RigforgeError where none is named, and where it is no public key.
    """
    return PublicKey.read(*_named(given, PUBLIC_VARIABLE, "public_key", "public key"))


def passphrase(key: SecretKey) -> str:
    """Returns the passphrase of a key, "" where it has none.

    Asked for on the terminal; without one it is the first line of standard input. Raises RigforgeError where it is
    empty.
    """
    if not key.has_passphrase:
        return ""
    answer = ask(f"Passphrase of {key.path}: ")
    if not answer:
        raise RigforgeError(
            f"{key.path} has a passphrase, and none was given",
            "type it on the terminal, or give it as the first line of standard input",
        )
    return answer


def _named(given: str, variable: str, name: str, what: str) -> tuple[str, Path]:
    """Returns how a key is named, and the folder that a path counts from."""
    config = paths.config_file()
    if value := given or os.environ.get(variable, ""):
        return value, Path()
    if value := _configured(config).get(name, ""):
        return value, config.parent
    raise RigforgeError(
        f"no {what} given",
        f'name it with --{name.replace("_", "-")}, in {variable}, or in {config}, in the table [signing]: {name} = "…"',
    )


def _configured(config: Path) -> dict[str, str]:
    table = read_toml(config).get("signing", {})
    if not isinstance(table, dict):
        raise RigforgeError(f"{config}: signing is not a table", f"[signing] holds lines of {' and '.join(_NAMES)}")
    for name, value in table.items():
        if name not in _NAMES:
            raise RigforgeError(f"{config}: signing.{name} is unknown", f"[signing] may hold {' and '.join(_NAMES)}")
        if not isinstance(value, str):
            raise RigforgeError(f"{config}: signing.{name} is not text: {value!r}", f'write {name} = "…"')
    return table
