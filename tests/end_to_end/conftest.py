"""What tests of real images have in common: the daemon that runs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.engine import docker


@pytest.fixture(scope="module")
def daemon() -> Iterator[None]:
    """A Docker daemon that docker and Rigforge find (DOCKER_HOST)."""
    with docker() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", address)
        yield
