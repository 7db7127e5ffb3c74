"""Names the pool of Canonical's medium for the installer's apt, with the one-time key that it is signed with."""

from __future__ import annotations

from rigforge.layers.root import Root

#: From 26.04 on the installer looks for it in the system that it installs, and takes it away at the end
#: (subiquity 26.04.1, server/apt.py).
FILE = "etc/apt/sources.list.d/cdrom.sources"


def build(root: Root) -> None:
    """Writes the file as the medium's own base has it."""
    root.write(FILE, root.options["sources"])
