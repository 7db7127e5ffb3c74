"""Secure Boot's state, as the firmware has it."""

from __future__ import annotations

from pathlib import Path

#: Of a root: the firmware's variable (UEFI specification 2.10, 3.3: global variables).
VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def is_on(variable: Path) -> bool:
    """Says what the variable's file says: four bytes of attributes, then its one byte. Without UEFI there is none."""
    try:
        return variable.read_bytes()[4:5] == b"\x01"
    except OSError:
        return False
