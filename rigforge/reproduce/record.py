"""The digests that a stack's committed lock gives, kept beside it in the format of sha256sum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rigforge.artifacts.artifact import CHECKSUMS, PROVENANCE
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.records.checksums import parse, to_text

_HEADER = """\
# What {stack}.lock gives on the machine that rigforge/reproduce/site.toml describes, as sha256.
# Made by `invoke reproduce --stack {stack} --record`; `invoke reproduce --stack {stack}` compares.
"""


def path(lock: Path) -> Path:
    """Returns where the digests of a lock are."""
    return lock.with_suffix(".digests")


def recorded(digests: Mapping[str, str]) -> dict[str, str]:
    """Returns those of a build's digests that are recorded.

    The provenance names the commit that Rigforge was at, and the checksum file lists it; no commit can hold its own
    name.
    """
    return {name: digest for name, digest in digests.items() if not name.endswith((PROVENANCE, CHECKSUMS))}


def read(file: Path) -> dict[str, str]:
    """Returns the sha256 (hex) of each artifact. Raises RigforgeError where a line is not one of sha256sum's."""
    digests: dict[str, str] = {}
    with boundary(f"{file} is no list of digests", "make it anew: invoke reproduce --record"):
        text = file.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        entry = parse(line)
        if not entry:
            raise RigforgeError(f"{file}:{number}: not a digest and a name", "make it anew: invoke reproduce --record")
        digests |= entry
    return digests


def write(file: Path, digests: Mapping[str, str]) -> None:
    """Writes the file, artifacts in the order of their names."""
    file.write_text(_HEADER.format(stack=file.stem) + to_text(digests), encoding="utf-8")
