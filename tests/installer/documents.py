"""Autoinstall documents for tests: one that is accepted, and ways to change it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from rigforge.installer.document import Document, DocumentError, parse

BLOB = b"\0\0\0\x0bssh-ed25519" + b"\0\0\0\x20" + bytes(range(32))
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()} rig@desk"
# crypt(3) of "correct horse" and of "", with the salt abcdefgh.
HASH = "$6$abcdefgh$yIZAF3gQPvtKZO/9qOJKffAKKbtS3ef3qmwyugk4uWVjX8YZf/GV3A8SkFxEPY0T56CcilGrHKLffBsp6dLMG."
HASH_OF_NOTHING = "$6$abcdefgh$v7sYNA18/BerGOYQLppYLyjH4yJilp8kqe/ef3KYMK9hOIdzH1yzcmP74Ay.m51y1jP3QqxM7Jl75S4CxDhBq."


def document(**sections: Any) -> str:
    """A document that is accepted, with some sections replaced (`late_commands` stands for late-commands)."""
    whole = {
        "version": 1,
        "identity": {"hostname": "gold", "username": "rig"},
        "ssh": {"authorized-keys": [KEY]},
        **{name.replace("_", "-"): value for name, value in sections.items()},
    }
    return yaml.safe_dump(whole, sort_keys=False)


def read(text: str, root: Path = Path("/nonexistent")) -> Document:
    return parse(text, "here", root=root)


def refusal(text: str, root: Path = Path("/nonexistent")) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(text, root)
    return caught.value


def identity(**changes: Any) -> dict[str, Any]:
    return {"hostname": "gold", "username": "rig", **changes}


def layout(**keys: Any) -> dict[str, Any]:
    return {"layout": {"name": "direct", **keys}}
