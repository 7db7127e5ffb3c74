"""Whether Secure Boot is on, as the firmware says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.rules.secure_boot import is_on


@pytest.mark.parametrize(("content", "on"), [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\0", False), (b"", False)])
def test_secure_boot_is_read_from_the_firmwares_variable(tmp_path: Path, content: bytes, on: bool) -> None:
    variable = tmp_path / "SecureBoot"
    variable.write_bytes(content)
    assert is_on(variable) is on


def test_no_secure_boot_without_uefi(tmp_path: Path) -> None:
    assert is_on(tmp_path / "none") is False
