"""UEFI firmware for QEMU: finding it, and a copy of its variables with a test certificate enrolled."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rigforge import process
from rigforge.errors import RigforgeError

#: Where Debian's and Ubuntu's package ovmf puts its files.
OVMF = Path("/usr/share/OVMF")

#: The owner recorded with an enrolled certificate; shim and the kernel do not look at it.
_OWNER = "6f5c1f0a-6a52-4d0c-9d5e-7269676f7267"


@dataclass(frozen=True)
class Flash:
    """The two flash chips of a UEFI machine: code (only read) and variables (this machine's own copy)."""

    code: Path
    variables: Path


def flash(
    secure_boot: bool,
    variables: Path,
    *,
    machine_owner_key: Path | None = None,
    signature_key: Path | None = None,
    ovmf: Path = OVMF,
) -> Flash:
    """Returns firmware whose variables are a fresh copy at `variables`.

    With `secure_boot` the variables hold Microsoft's keys and Secure Boot is on. `machine_owner_key` (a PEM or
    DER certificate) is put into shim's MokList, as `mokutil --import` and a confirmation at the next boot would;
    `signature_key` into the firmware's own db.

    Raises RigforgeError where the firmware or a certificate is missing.
    """
    code = ovmf / ("OVMF_CODE_4M.secboot.fd" if secure_boot else "OVMF_CODE_4M.fd")
    template = ovmf / ("OVMF_VARS_4M.ms.fd" if secure_boot else "OVMF_VARS_4M.fd")
    for file in (code, template):
        if not file.exists():
            raise RigforgeError(f"UEFI firmware for QEMU not found: {file}", "install the package ovmf")
    shutil.copyfile(template, variables)
    for option, certificate in (("--add-mok", machine_owner_key), ("--add-db", signature_key)):
        if certificate:
            _enroll(variables, option, certificate)
    return Flash(code, variables)


def _enroll(variables: Path, option: str, certificate: Path) -> None:
    if not certificate.exists():
        raise RigforgeError(f"no such certificate: {certificate}", "see certificate in the [secure_boot] table")
    tool = [sys.executable, "-P", "-m", "virt.firmware.vars"]
    process.run([*tool, "--inplace", variables, option, _OWNER, certificate])
