"""The extras of pyproject.toml: packages that one task alone needs, and how to get them where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from rigforge.errors import RigforgeError

#: The modules of each extra that tasks run as programs.
MODULES = {"verify": ("pytest", "testinfra", "paramiko", "virt"), "doctor": ("PyInstaller",)}


def need(extra: str) -> None:
    """Raises RigforgeError with the command that installs an extra where one of its modules is missing."""
    missing = [module for module in MODULES[extra] if find_spec(module) is None]
    if missing:
        raise RigforgeError(
            f"this Python has no {', '.join(missing)}",
            f"install it with what this task needs: pip (pipx, uv tool) install 'FILE.whl[{extra}]'",
        )
