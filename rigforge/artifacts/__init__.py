"""What is made of a stack: each artifact in a module of its own, and the list of them.

What builds, attests, reports, reads again, reproduces and verifies goes over `ARTIFACTS` and asks an artifact; nothing
else knows which there are. `rigforge.artifacts.artifact.Artifact` says what one has to answer.
"""

from __future__ import annotations

from pathlib import Path

from rigforge.artifacts.artifact import Artifact, Product
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.live_server_iso import LiveServerIso
from rigforge.artifacts.oci_images import OciImages
from rigforge.artifacts.vm_disk import VmDisk
from rigforge.lock.model import Lock

#: With their options as they are by default, in the order of a report.
ARTIFACTS: tuple[Artifact[Product], ...] = (Iso(), LiveServerIso(), VmDisk(), OciImages())


def of(lock: Lock) -> tuple[Artifact[Product], ...]:
    """Returns the artifacts that the stack of a lock has."""
    return tuple(artifact for artifact in ARTIFACTS if artifact.fits(lock))


def install_iso(lock: Lock, base_iso: Path | None = None) -> Iso:
    """Returns the install ISO that the stack of a lock has; `base_iso` is Canonical's where the user has it already."""
    return LiveServerIso(base_iso) if LiveServerIso().fits(lock) else Iso(base_iso)


def at(path: Path) -> Artifact[Product] | None:
    """Returns which artifact a file or folder is; None where it is none, as an SBOM."""
    return next((artifact for artifact in ARTIFACTS if artifact.at(path)), None)
