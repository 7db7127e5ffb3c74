"""The stack's site values as a document for Canonical's installer, which is asked whether it accepts it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rigforge.autoinstall import access, template
from rigforge.autoinstall.document import NO_LOGIN, identity, layout
from rigforge.autoinstall.subiquity.accepted import RELEASES, Release
from rigforge.autoinstall.subiquity.check import check
from rigforge.autoinstall.subiquity.document import Finding
from rigforge.errors import RigforgeError
from rigforge.stack.model import Stack

#: The id of the install source that our layers are.
SOURCE = "rigforge"

#: A password that none matches (shadow(5)): the installer wants one, and the login is by key.
LOCKED = "!"

#: The releases whose installers are asked about documents of ours; one that is earlier is asked as the first of them.
_ASKED = tuple(release for release in RELEASES if release >= "24.04")


def render(stack: Stack, kernel: str, release: str, source: str = SOURCE) -> str:
    """Returns the document for the ISO's autoinstall.yaml: the same text for the same stack.

    `kernel` is the package with the kernel that the install source holds, `release` Ubuntu's, as "24.04", `source`
    the install source's id.

    Raises RigforgeError where the installer would refuse it, or nobody could log in.
    """
    machine = stack.machine
    if not (machine.ssh_authorized_keys or machine.password_hash):
        raise RigforgeError(f"stack {stack.name}: nobody could log in to the machine", NO_LOGIN)
    text = template.fill(
        "ubuntu.yaml.j2",
        machine=machine.model_dump(mode="json"),
        identity={"realname": "", "password": LOCKED, **identity(stack)},
        layout=_whole_disk(layout(stack)),
        network=stack.network,
        late_commands=[
            access.allowing(machine.username),
            *access.commands(stack),
            *stack.install.late_commands,
        ],
        shutdown=stack.install.shutdown,
        source=source,
        kernel=kernel,
    )
    access.warn_of_keys(stack)
    for finding in findings(text, asked(release), {source}):
        if finding.level == "error":
            key = re.sub(r"^identity\.|^storage\.layout\.", "", finding.key)
            raise RigforgeError(f"stack {stack.name}: {key}: {finding.message}", finding.hint)
    return text


def asked(release: str) -> Release:
    """Returns the release whose installer is asked about a document for `release`."""
    return next((first for first in reversed(_ASKED) if first <= release), _ASKED[0])


def findings(text: str, release: Release, sources: Collection[str]) -> tuple[Finding, ...]:
    """Returns what a release's installer says of a document, on a medium with these install sources."""
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        file = Path(directory) / "autoinstall.yaml"
        file.write_text(text, encoding="utf-8")
        return check(file, release, sources)


def _whole_disk(section: dict[str, Any]) -> dict[str, Any]:
    """Returns storage.layout in which a logical volume has all of the disk, not the half of it."""
    return {**section, "sizing-policy": "all"} if section["name"] == "lvm" else section
