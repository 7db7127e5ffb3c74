"""What is wrong when `apt-get update` fails: which archive, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rigforge.errors import RigforgeError

if TYPE_CHECKING:
    from rigforge.sources.apt import Archive

# What apt (2.6 to 3.0) says about an archive, what that means, and the cure; the first that matches is the cause.
_CAUSES = (
    (
        r"doesn't have the component '(?P<detail>[^']+)'",
        "has no component {detail}",
        "correct `components` of that archive in the stack",
    ),
    (
        r"is expired \((?P<detail>[^)]+)\)",
        "has expired: its Release file is {detail}",
        "its mirror no longer follows the archive (a frozen mirror, a snapshot): use another mirror, "
        "or accept its age with `check_valid_until = false` for that archive in the stack",
    ),
    (
        r"is not valid yet \((?P<detail>[^)]+)\)",
        "is dated in the future: its Release file is {detail}",
        "set this machine's clock",
    ),
    (
        r"(?P<detail>NO_PUBKEY \w+|(?:BAD|EXP|REV|EXPKEY|REVKEY)SIG[^\n]*|is not signed)",
        "is not signed by a key of the keyring {keyring}: {detail}",
        "correct `keyring` of that archive in the stack; if it is right, do not use this mirror",
    ),
    (
        r"(?P<detail>404 |File not found)",
        "has no suite {suite}",
        "correct `suite` of that archive in the stack, or use a mirror that has it",
    ),
    (
        r"(?P<detail>Hash Sum mismatch|unexpected size)",
        "is damaged, or just being updated: {detail}",
        "try again in some minutes, or use another mirror",
    ),
    (
        r"(?:Failed to fetch \S+|Err:[^\n]*\n)\s+(?P<detail>[^\n]+)",
        "does not answer: {detail}",
        "check the network and the mirror of role {role}: [mirrors] in Rigforge's configuration, else the "
        "machine's apt sources",
    ),
)


def explain_update(output: str, returncode: int, archives: Sequence[Archive]) -> None:
    """Reads what `apt-get update` said; returns when every archive can be used.

    Raises RigforgeError for the first archive that cannot.
    """
    # A line that is indented, such as the server's answer, belongs to the one before.
    messages = re.findall(r"^(?:Err|[EW]):[^\n]*(?:\n[ \t][^\n]*)*", output, flags=re.MULTILINE)
    # In the order of the messages: the first failure may bring about others.
    messages_by_archive: dict[Archive, str] = {}
    for message in messages:
        for archive in archives:
            if f"{archive.shown} {archive.suite} " in message or f"{archive.shown}/dists/{archive.suite}/" in message:
                messages_by_archive[archive] = messages_by_archive.get(archive, "") + message + "\n"
    for archive, text in messages_by_archive.items():
        for pattern, meaning, cure in _CAUSES:
            if match := re.search(pattern, text):
                facts = {**vars(archive), **match.groupdict()}
                raise RigforgeError(
                    f"archive {archive.role} ({archive.shown} {archive.suite}) {meaning.format(**facts)}",
                    cure.format(**facts),
                )
    if returncode:
        raise RigforgeError(f"apt-get update failed:\n{output.strip()}")
