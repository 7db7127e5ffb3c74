"""The document of a stack, for the installer that its medium has."""

from __future__ import annotations

from rigforge.autoinstall import document, ubuntu
from rigforge.lock.model import Lock
from rigforge.stack.model import Stack


def rendered(stack: Stack, lock: Lock) -> str:
    """Returns the document for Canonical's installer where the lock has its ISO, else for Rigforge's own.

    Raises RigforgeError where the installer would refuse it, or nobody could log in.
    """
    if iso := lock.base_iso:
        return ubuntu.render(stack, f"linux-image-{lock.versions['kernel']}", iso.version[:5])
    return document.render(stack)
