"""Where Rigforge keeps what it needs again, and where results go."""

from __future__ import annotations

import os
from pathlib import Path

from rigforge.errors import RigforgeError

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parent

#: The checkout; where Rigforge was installed from a wheel, the folder that the package is in.
PROJECT = PACKAGE.parent

#: Whether this is a checkout.
CHECKOUT = (PROJECT / "pyproject.toml").is_file()

#: The folder of stacks/, cloud-init/, dockerfiles/, packer/, image_tests/ and tasks.py; in a wheel, one of the package.
SHARE = PROJECT if CHECKOUT else PACKAGE / "share"

#: What an overlay's options end a path with (Documentation/filesystems/overlayfs.rst in Linux), and what ends a line.
_SEPARATORS = (",", ":", "\\", "\n")


def home() -> Path:
    """Returns the one directory for state: RIGFORGE_HOME, else `rigforge` in the XDG cache directory.

    Raises RigforgeError where layers cannot be mounted from a path of that name.
    """
    if named := os.environ.get("RIGFORGE_HOME"):
        found = Path(named).resolve()
    else:
        found = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "rigforge"
    if any(separator in str(found) for separator in _SEPARATORS):
        raise RigforgeError(
            f"the state directory {str(found)!r} has a comma, colon, backslash or line end in its name, "
            "with which no layer can be mounted",
            "name another one: RIGFORGE_HOME=/path ./bootstrap …",
        )
    return found


def results() -> Path:
    """Returns the folder for what is made, where no other is named: `out` in the checkout, else in the current one."""
    return (PROJECT if CHECKOUT else Path.cwd()) / "out"


def own_locks() -> Path:
    """Returns the folder for the user's locks of stacks that a wheel brought, which need not exist."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "rigforge" / "stacks"


def config_file() -> Path:
    """Returns the path of the user's own configuration (mirrors, keys for signing), which need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rigforge" / "config.toml"
