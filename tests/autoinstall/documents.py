"""An autoinstall document with nothing to say of it, and what is said of others."""

from __future__ import annotations

from pathlib import Path

from rigforge.autoinstall.subiquity.accepted import Release
from rigforge.autoinstall.subiquity.check import check
from rigforge.autoinstall.subiquity.document import Finding

HASH = "$6$saltsalt$" + "x" * 86
USER = f"identity: {{hostname: gold, username: ada, password: '{HASH}'}}\n"
SSH = "ssh: {install-server: true, allow-pw: false, authorized-keys: [ssh-ed25519 AAAAC3Nza ada@home]}\n"
STORAGE = "storage: {layout: {name: direct, match: {serial: 'S1'}}}\n"
SOUND = f"version: 1\n{USER}{SSH}{STORAGE}"


def findings(folder: Path, text: str, release: Release = "24.04") -> tuple[Finding, ...]:
    """Returns all that is said of a document; `folder` takes its file."""
    file = folder / "autoinstall.yaml"
    file.write_text(text)
    return check(file, release)


def warned(folder: Path, text: str, release: Release = "24.04") -> dict[str, str]:
    """Returns message and cure by key of what is said of an accepted document, in its order."""
    found = findings(folder, text, release)
    assert all(each.level == "warning" and each.message and each.hint for each in found), found
    return {each.key: f"{each.message}; {each.hint}" for each in found}
