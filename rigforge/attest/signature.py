"""Signs what was built, and verifies what was signed: the checksum file and the provenance carry the signatures.

A signed checksum file vouches for all that it lists, so an ISO of gigabytes is read once, and minisign
reads small files only. The provenance has a signature of its own, because it also travels alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rigforge.artifacts.artifact import PROVENANCE
from rigforge.attest import listing, minisign
from rigforge.attest.minisign import PublicKey, SecretKey
from rigforge.errors import RigforgeError


@dataclass(frozen=True)
class Verified:
    """What was verified: a sentence that says what and by which key, and the trusted comment of the signature."""

    summary: str
    comment: str


def sign(target: Path, key: SecretKey, passphrase: str) -> list[Path]:
    """Signs what `target` belongs to (an ISO, an OCI layout, a checksum file) and returns the signatures' paths.

    Everything that the checksum file lists is checked first: what is missing or altered is not signed. The trusted
    comment names file, stack and lock, and no time, so that the same build and key give the same signature.
    Raises RigforgeError.
    """
    target = _absolute(target)
    checksums = listing.checksum_file(target)
    sums = listing.listed(checksums)
    listing.asked(target, checksums, sums)
    provenances = [name for name in sums if name.endswith(PROVENANCE)]
    if len(provenances) != 1:
        raise RigforgeError(
            f"{checksums} lists {len(provenances) or 'no'} files NAME{PROVENANCE}, not one",
            "build anew what it belongs to",
        )
    listing.check(sums, checksums, sums)
    provenance = checksums.parent / provenances[0]
    origin = listing.origin(provenance, sums)
    # The checksum file last: where it is signed, all is.
    return [minisign.sign(file, key, passphrase, f"file:{file.name}\t{origin}") for file in (provenance, checksums)]


def verify(target: Path, key: PublicKey) -> Verified:
    """Verifies that `target` is what `key` signed.

    `target` is an ISO, an OCI layout (of which all blobs are read), another file that a checksum file beside it
    lists, a provenance, or a checksum file (of which everything listed is read).
    Raises RigforgeError naming what is not signed, signed by another key, missing or altered.
    """
    target = _absolute(target)
    if target.name.endswith(PROVENANCE) and target.is_file():
        comment = minisign.verify(target, key)
        return Verified(_summary(f"{target.name} is", key, comment), comment)
    checksums = listing.checksum_file(target)
    comment = minisign.verify(checksums, key)
    sums = listing.listed(checksums)
    listing.check(listing.asked(target, checksums, sums), checksums, sums)
    if target == checksums:
        what = f"{target.name} and the {len(sums)} files that it lists are"
    else:
        blobs = " and all its blobs are" if target.is_dir() else " is"
        what = f"{target.name}{blobs} as listed in {checksums.name},"
    return Verified(_summary(what, key, comment), comment)


def _summary(what: str, key: PublicKey, comment: str) -> str:
    return f"{what} signed by key {key.id} ({comment.replace(chr(9), ', ')})"


def _absolute(path: Path) -> Path:
    # Links stay, since a file is listed under the name that it has here; `.` gets its name.
    return Path(os.path.abspath(path))  # noqa: PTH100
