"""Where Rigforge keeps what it needs again, and where results go."""

from __future__ import annotations

import os
from pathlib import Path

#: The checkout (or installed tree) that holds stacks/, cloud-init/, packer/ and image_tests/.
PROJECT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Returns the one directory for state: RIGFORGE_HOME, else `rigforge` in the XDG cache directory."""
    if named := os.environ.get("RIGFORGE_HOME"):
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "rigforge"


def config_file() -> Path:
    """Returns the path of the user's own configuration (mirrors, keys for signing), which need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rigforge" / "config.toml"
