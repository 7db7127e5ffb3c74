"""A mirror for every test, and no waiting between two tries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rigforge.store.store import Store
from tests.store.http_mirror import HttpMirror, running


@pytest.fixture
def mirror() -> Iterator[HttpMirror]:
    with running() as mirror:
        yield mirror


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigforge.store.download.PAUSES", (0.0, 0.0, 0.0, 0.0))
