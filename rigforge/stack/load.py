"""Reads a stack: its file, the files it extends, the site's values, and what was set on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rigforge import foreign, paths
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary, path_of
from rigforge.stack.merge import Source, merged, origin
from rigforge.stack.model import SITE, Stack
from rigforge.stack.secrets import PASSPHRASE_VARIABLE, warn_of_readers
from rigforge.stack.settings import settings
from rigforge.stack.validation_errors import complaint, did_you_mean

#: In the folder of stacks, but none: the order in which they are tried where none is named.
PREFERENCE = "preference.toml"

#: The site's values, where the current directory has them.
SITE_FILE = Path("site.toml")


def load(name_or_path: str | Path, *, sets: Sequence[str] = (), site: Path | None = None) -> Stack:
    """Returns the stack of that name, or in that TOML file.

    Over it come the site's values from `site` (else from ./site.toml, where there is one), over those the passphrase
    of the environment, and over that `sets`, each of them `key=value`.
    Raises RigforgeError that names file, key and cure for anything in them that is wrong.
    """
    files = _with_parents(_find(name_or_path))
    sources = [Source(shown(path), table) for path, table in reversed(files)]
    if site or SITE_FILE.is_file():
        sources.append(_site(site or SITE_FILE))
    if passphrase := os.environ.get(PASSPHRASE_VARIABLE):
        sources.append(Source(PASSPHRASE_VARIABLE, {"storage": {"passphrase": passphrase}}))
    sources += settings(sets)
    with boundary(f"stack {str(name_or_path)!a} cannot be read"):
        try:
            return Stack.model_validate(merged(sources), context={"files": [path for path, _ in files]})
        except ValidationError as error:
            raise complaint(error, Stack, partial(origin, sources)) from None


def names() -> tuple[str, ...]:
    """Returns the names of the stacks that come with Rigforge."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml") if path.name != PREFERENCE))


def read_toml(path: Path) -> dict[str, Any]:
    """Returns what a TOML file holds.

    Raises RigforgeError that names file and line where it cannot be read.
    """
    try:
        return foreign.read_toml(path, shown(path))
    except FileNotFoundError as error:
        raise RigforgeError(f"{shown(path)}: cannot be read: {error.strerror}") from None


def shown(path: Path) -> str:
    """Returns a path as messages show it: short where it is below the current directory."""
    directory = Path.cwd()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def _folder() -> Path:
    return paths.SHARE / "stacks"


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        path = path_of(text, "--stack").absolute()
        if not path.is_file():
            raise RigforgeError(
                f"there is no stack file {text}", f"stacks that come with Rigforge: {', '.join(names())}"
            )
        if path.suffix != ".toml" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem):
            raise RigforgeError(
                f"{text}: a stack's file is NAME.toml, with a NAME of letters, digits, dots, _ and -",
                "the name becomes part of other file names",
            )
        return path
    if text in names():
        return _folder() / f"{text}.toml"
    local_path = path_of(f"{text}.toml", "--stack").absolute()
    if local_path.is_file():
        return _find(local_path)
    raise RigforgeError(
        f'there is no stack "{text}"{did_you_mean(text, names())}', f"stacks: {', '.join(names())}, or a path"
    )


def _with_parents(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Returns the file and the ones it extends, nearest first, each with what it says."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    while True:
        table = _anchored(read_toml(path), path)
        chain.append((path, table))
        parent = table.get("extends")
        # Text of another type is for the model to refuse.
        if not isinstance(parent, str) or not parent:
            return chain
        path = _parent(parent, path)
        if path in (file for file, _ in chain):
            circle = " → ".join(shown(file) for file, _ in [*chain, (path, {})])
            raise RigforgeError(f"{circle}: extends goes round in a circle", "one of them must not say `extends`")


def _parent(name: str, child: Path) -> Path:
    """A name is looked for beside the child first, a path counts from there."""
    if "/" in name or name.endswith(".toml"):
        candidate = child.parent / path_of(name, f"{shown(child)}: extends")
    else:
        candidate = child.parent / f"{name}.toml"
        if not candidate.is_file() and name in names():
            return _folder() / f"{name}.toml"
    if not candidate.is_file():
        stack_names = {*names(), *(path.stem for path in child.parent.glob("*.toml"))}
        raise RigforgeError(
            f'{shown(child)}: extends: there is no stack "{name}"{did_you_mean(name, sorted(stack_names))}',
            f"stacks: {', '.join(names())}, or a path that counts from the file's own folder",
        )
    return candidate.resolve() if "/" in name else candidate


def _site(path: Path) -> Source:
    table = _anchored(read_toml(path), path.absolute())
    for key in table:
        if key in Stack.model_fields and key not in SITE:
            raise RigforgeError(
                f"{shown(path)}: {key}: belongs to the stack, and the lock is made from it",
                f"sections of a site: {', '.join(SITE)}; for the rest write a stack of your own that says `extends`",
            )
    warn_of_readers(path, shown(path), table)
    return Source(shown(path), table)


def _anchored(table: dict[str, Any], file: Path) -> dict[str, Any]:
    """Returns the table of a file with the paths of the signing key counted from the file's folder."""
    section = table.get("secure_boot")
    if not isinstance(section, dict):
        return table
    anchored_section = {
        key: str(file.parent / path_of(value, f"{shown(file)}: secure_boot.{key}"))
        if isinstance(value, str) and value
        else value
        for key, value in section.items()
    }
    return {**table, "secure_boot": anchored_section}
