"""What all tests of the target side share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def system_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian keeps sfdisk, mkfs and chroot in sbin, which an ordinary user's PATH lacks."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
