"""What the tests of connect share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connect.gpubox import Machine, gpubox


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with gpubox(tmp_path) as made:
        yield made
