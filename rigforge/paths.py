"""Where Rigforge keeps what it needs again, and where results go."""

from __future__ import annotations

import os
from pathlib import Path

from rigforge.errors import RigforgeError

#: The checkout (or installed tree) that holds stacks/, cloud-init/, packer/ and image_tests/.
PROJECT = Path(__file__).resolve().parent.parent


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


def config_file() -> Path:
    """Returns the path of the user's own configuration (mirrors, keys for signing), which need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rigforge" / "config.toml"
