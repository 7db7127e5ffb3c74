from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doctor.upgrade import debian_box, ubuntu_box
from tests.doctor.upgrade.box import Box
from tests.sources.serving import served
from tests.sources.signed_archive import Key, SignedArchive, key

__all__ = ["key"]


@pytest.fixture
def box(tmp_path: Path, key: Key) -> Iterator[Box]:
    """A machine with nothing on it, and an archive with nothing in it."""
    archive = SignedArchive(tmp_path / "archive")
    archive.path.mkdir()
    with served(archive.path) as url:
        yield Box(tmp_path, key, url, archive)


@pytest.fixture
def debian(box: Box) -> Box:
    """A machine of a Debian stack; what compiles is in the archive."""
    debian_box.installed(box)
    debian_box.compiler(box.archive)
    return box


@pytest.fixture
def ubuntu(box: Box) -> Box:
    """A machine of an Ubuntu stack."""
    ubuntu_box.installed(box)
    return box
