"""Writes SBOMs, provenance and checksum file beside an ISO or an OCI layout; see `rigforge.attest.artifact`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rigforge import atomic
from rigforge.attest import minisign
from rigforge.attest.artifact import CHECKSUMS, INDEX, PROVENANCE
from rigforge.console import step
from rigforge.images.description import needed
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock, digest
from rigforge.records.checksums import sha256, to_text
from rigforge.stack.model import Stack

SBOM = ".cdx.json"


def describe_iso(
    iso: Path, stack: Stack, lock: Lock, layers: Sequence[Layer], cache: Cache, known: str | None = None
) -> None:
    """Writes what belongs to an ISO of these layers; `known` is its SHA-256 (hex) where it was found in writing it."""
    from rigforge.attest.provenance import site_sha256
    from rigforge.attest.sbom import Subject, sbom

    with step("SBOM, provenance, checksums"), ThreadPoolExecutor(1) as other:
        hashed = other.submit(lambda: known or sha256(iso))
        bill = _write(iso.with_suffix(SBOM), sbom(Subject(iso.name, "iso"), lock, layers, cache))
        sums = {iso.name: hashed.result(), bill.name: sha256(bill)}
        _vouch(iso.with_suffix(""), sums, sums, stack, lock, layers, site_sha256(stack))


def describe_images(
    layout: Path, images: Mapping[str, str], stack: Stack, lock: Lock, layers: Sequence[Layer], cache: Cache
) -> None:
    """Writes what belongs to an OCI layout; `images` maps each image in it to its digest (`sha256:` and hex)."""
    from rigforge.attest.sbom import Subject, sbom

    with step("SBOM, provenance, checksums"):
        bills = {}
        for name in images:
            bill = layout.with_name(f"{layout.name}-{name}{SBOM}")
            _write(bill, sbom(Subject(f"{stack.name}:{name}", "image"), lock, needed(layers, [name]), cache))
            bills[bill.name] = sha256(bill)
        manifests = {f"{stack.name}:{name}": digest.removeprefix("sha256:") for name, digest in images.items()}
        index = {f"{layout.name}/{INDEX}": sha256(layout / INDEX)}
        _vouch(layout, index | bills, manifests | bills, stack, lock, layers)


def described(target: Path, lock: Lock) -> bool:
    """Returns whether provenance and checksum file of an ISO or OCI layout are there, and of this lock."""
    stem = target.with_suffix("") if target.is_file() else target
    provenance = stem.with_name(stem.name + PROVENANCE)
    if not (provenance.exists() and stem.with_name(stem.name + CHECKSUMS).exists()):
        return False
    return digest(lock) in provenance.read_text(encoding="utf-8")


def _vouch(
    stem: Path,
    sums: Mapping[str, str],
    subjects: Mapping[str, str],
    stack: Stack,
    lock: Lock,
    layers: Sequence[Layer],
    site: str = "",
) -> None:
    from rigforge.attest.provenance import provenance

    statement = _write(stem.with_name(stem.name + PROVENANCE), provenance(subjects, stack, lock, layers, site))
    _write(stem.with_name(stem.name + CHECKSUMS), to_text({**sums, statement.name: sha256(statement)}))


def _write(file: Path, text: str) -> Path:
    # A signature of what was here before would only be a wrong one.
    file.with_name(file.name + minisign.SUFFIX).unlink(missing_ok=True)
    atomic.write(file, text)
    return file
