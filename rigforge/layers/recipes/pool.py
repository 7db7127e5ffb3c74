"""Names the pool of Canonical's medium for the installer's apt, with the one-time key that it is signed with."""

from __future__ import annotations

from dataclasses import dataclass

from rigforge.layers.root import Root

#: From 26.04 on the installer looks for it in the system that it installs, and takes it away at the end
#: (subiquity 26.04.1, server/apt.py).
FILE = "etc/apt/sources.list.d/cdrom.sources"


@dataclass(frozen=True)
class Options:
    """`iso` is the sha256 (hex) of Canonical's medium, `sources` the deb822 source with its pool's key."""

    iso: str
    sources: str


def build(root: Root, options: Options) -> None:
    """Writes the file as the medium's own base has it."""
    root.write(FILE, options.sources)
