"""Stack files for tests, and what Rigforge says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.stack.load import load

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHFOLLgStd87Z3/Fqhh+qFlWFqcm6tITPhrwFEn63Id6 someone@example"

#: Everything that has no default.
SMALLEST = """
[system]
distribution = "debian"
suite = "bookworm"
[[archives]]
role = "debian"
suite = "bookworm"
components = ["main"]
keyring = "debian-archive-keyring.gpg"
[kernel]
package = "linux-image-amd64"
"""

#: Writes a file (name, text) and returns its path.
Write = Callable[[str, str], Path]


def complaint(path: Path, **arguments: object) -> str:
    """Returns what is said of a stack that cannot be loaded."""
    with pytest.raises(RigforgeError) as caught:
        load(path, **arguments)  # type: ignore[arg-type]
    return caught.value.message
