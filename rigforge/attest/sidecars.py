"""Writes SBOMs, provenance and checksum file beside an artifact; see `rigforge.attest.listing`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rigforge import atomic
from rigforge.artifacts.artifact import CHECKSUMS, PROVENANCE, Artifact, Build, Product
from rigforge.attest import minisign
from rigforge.console import step
from rigforge.lock.model import Lock, digest
from rigforge.records.checksums import sha256, to_text


def describe(artifact: Artifact[Product], product: Product, build: Build) -> None:
    """Writes what belongs to an artifact that a build has left."""
    from rigforge.attest.provenance import provenance, site_sha256
    from rigforge.attest.sbom import sbom

    path, stack, lock = product.path, build.stack, build.lock
    file = path / artifact.index
    with step("SBOM, provenance, checksums"), ThreadPoolExecutor(1) as other:
        hashed = other.submit(lambda: product.sha256 or sha256(file))
        bills = {}
        for bill in product.bills:
            text = sbom(bill.subject, lock, bill.layers, build.cache)
            bills[bill.file] = sha256(_write(path.with_name(bill.file), text))
        own = {str(file.relative_to(path.parent)): hashed.result()}
        subjects = {**(product.subjects or own), **bills}
        site = site_sha256(stack) if artifact.of_site else ""
        origin = provenance(subjects, stack, lock, product.layers, site)
        statement = _write(artifact.beside(path, PROVENANCE), origin)
        _write(artifact.beside(path, CHECKSUMS), to_text({**own, **bills, statement.name: sha256(statement)}))


def described(artifact: Artifact[Product], path: Path, lock: Lock) -> bool:
    """Returns whether provenance and checksum file of an artifact are there, and of this lock."""
    provenance = artifact.beside(path, PROVENANCE)
    if not (provenance.exists() and artifact.beside(path, CHECKSUMS).exists()):
        return False
    return digest(lock) in provenance.read_text(encoding="utf-8")


def _write(file: Path, text: str) -> Path:
    # A signature of what was here before would only be a wrong one.
    file.with_name(file.name + minisign.SUFFIX).unlink(missing_ok=True)
    atomic.write(file, text)
    return file
