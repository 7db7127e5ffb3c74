"""Where Rigforge keeps what it needs again, and where results go."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rigforge.errors import RigforgeError

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parent

#: The folder that `rigforge` is imported from.
IMPORTS = PACKAGE.parent

#: Whether this is a checkout, and not what a wheel installed.
CHECKOUT = (IMPORTS / "pyproject.toml").is_file()


def _current() -> Path:
    """Returns the current folder; ends the process where it was removed: no task is there yet to tell of it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        sys.exit("error: the current folder was removed\nhint: go to another one (cd), and begin again")


#: The checkout, with results in `out`; without one the current folder.
PROJECT = IMPORTS if CHECKOUT else _current()

#: The folder of stacks/, cloud-init/, dockerfiles/, packer/, image_tests/ and tasks.py; in a wheel, one of the package.
SHARE = PROJECT if CHECKOUT else PACKAGE / "share"

#: What an overlay's options end a path with (Documentation/filesystems/overlayfs.rst in Linux), and what ends a line.
_SEPARATORS = (",", ":", "\\", "\n")


def home() -> Path:
    """Returns the one directory for state: RIGFORGE_HOME, else `rigforge` in the XDG cache directory.

    Raises RigforgeError where layers cannot be mounted from a path of that name.
    """
    if named := os.environ.get("RIGFORGE_HOME"):
        directory = Path(named).resolve()
    else:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "rigforge"
    if any(separator in str(directory) for separator in _SEPARATORS):
        raise RigforgeError(
            f"the state directory {str(directory)!r} has a comma, colon, backslash or line end in its name, "
            "with which no layer can be mounted",
            "name another one: RIGFORGE_HOME=/path ./bootstrap …",
        )
    return directory


def new_lock(stack: Path) -> Path:
    """Returns where the lock of a stack's file is written: beside it, or for a wheel's with the user's own data."""
    if CHECKOUT or not stack.is_relative_to(SHARE):
        return stack.with_suffix(".lock")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return data / "rigforge/stacks" / f"{stack.stem}.lock"


def lock(stack: Path) -> Path:
    """Returns the lock of a stack's file: the one that the user made, else the one beside the stack, if it has any."""
    new, beside = new_lock(stack), stack.with_suffix(".lock")
    return beside if beside.exists() and not new.exists() else new


def config_file() -> Path:
    """Returns the path of the user's own configuration (mirrors, keys for signing), which need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rigforge" / "config.toml"
