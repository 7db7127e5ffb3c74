"""Keyrings: the file with the keys that may sign an archive, known by fingerprint where the stack names one."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.process import run
from rigforge.stack.model import Stack
from rigforge.stack.sections import Archive


def checked_keyring(stack: Stack, archive: Archive) -> Path:
    """Returns the keyring of an archive.

    Raises RigforgeError where it is not there, and where the stack names a fingerprint and it holds another key, or
    more keys than that one.
    """
    keyring = stack.keyring(archive)
    if not archive.fingerprint:
        return keyring
    key_fingerprints = fingerprints(keyring)
    if key_fingerprints != (archive.fingerprint,):
        raise RigforgeError(
            f"stack {stack.name}: archive {archive.role} {archive.suite}: {keyring} holds "
            f"{' and '.join(key_fingerprints) or 'no key'}, not just the key {archive.fingerprint}",
            "get the archive's key anew, and compare its fingerprint with the one that its owner publishes",
        )
    return keyring


def fingerprints(keyring: Path) -> tuple[str, ...]:
    """Returns the fingerprints of the primary keys of a keyring, in upper-case hex."""
    with tempfile.TemporaryDirectory(prefix="rigforge-gpg-") as home:
        argv = ["gpg", "--homedir", home, "--batch", "--with-colons", "--show-keys", str(keyring)]
        lines = run(argv, check=False).stdout.splitlines()
    records = [line.split(":") for line in lines if line.startswith(("pub:", "fpr:"))]
    return tuple(fields[9] for key_fields, fields in pairwise(records) if key_fields[0] == "pub" and fields[0] == "fpr")
