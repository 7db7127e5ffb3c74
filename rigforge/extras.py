"""The extras of pyproject.toml: packages that one task alone needs, and how to get them where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from rigforge.errors import RigforgeError

#: The modules of each extra that tasks run as programs.
MODULES = {"verify": ("pytest", "testinfra", "paramiko", "virt"), "doctor": ("PyInstaller",)}


class MissingExtraError(RigforgeError, ModuleNotFoundError):
    """This Python lacks modules of an extra. A task of a checkout goes on in the environment that has them (`cli`)."""

    def __init__(self, extra: str, modules: list[str]) -> None:
        self.name = ", ".join(modules)
        super().__init__(
            f"this Python has no {self.name}",
            f"install it with what this task needs: pip (pipx, uv tool) install 'FILE.whl[{extra}]'",
        )


def need(extra: str) -> None:
    """Raises MissingExtraError where a module of an extra is missing.

    To be called while nothing is held: another process may take this one's place.
    """
    missing = [module for module in MODULES[extra] if find_spec(module) is None]
    if missing:
        raise MissingExtraError(extra, missing)
