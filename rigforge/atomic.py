"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write(file: Path, content: str | bytes) -> None:
    """Writes a file in one step, in place of the one that is there."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(file)
