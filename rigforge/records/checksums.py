"""The sha256 of a file, and the list of them that sha256sum(1) knows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path


def sha256(file: Path) -> str:
    """Returns the SHA-256 (hex) of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def parse(text: str) -> dict[str, str]:
    """Returns sha256 (hex) by path of what sha256sum(1) wrote; lines of another form are left out."""
    lines = re.finditer(r"^(?P<sha256>[0-9a-f]{64}) [ *](?P<path>.+)$", text, re.MULTILINE)
    return {line["path"]: line["sha256"] for line in lines}


def to_text(sums: Mapping[str, str]) -> str:
    """Returns sha256 (hex) by path as sha256sum(1) reads them, sorted by path."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(sums.items()))
