"""A file of the store is read before it is used: its size alone proves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.store.store import Store
from tests.store.http_mirror import HttpMirror

CONTENT = os.urandom(100_000)


@pytest.fixture
def file(mirror: HttpMirror, store: Store) -> LockedFile:
    file = mirror.add("bash", CONTENT)
    store.fetch([file], mirror.mirrors)
    return file


def damage(path: Path) -> None:
    """Changes one byte; size and time stay."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(CONTENT[:500] + bytes([CONTENT[500] ^ 1]) + CONTENT[501:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_other_bytes_of_the_same_size_are_named_and_fetched_again(
    store: Store, mirror: HttpMirror, file: LockedFile, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(store.path(file.sha256))
    assert store.has(file)
    assert store.confirm([file], mirror.mirrors) == [file]
    assert store.path(file.sha256).read_bytes() == CONTENT
    said = " ".join(capsys.readouterr().err.split())
    assert file.file in said
    assert "has other content" in said


def test_a_whole_file_is_not_fetched_again(store: Store, mirror: HttpMirror, file: LockedFile) -> None:
    asked = len(mirror.requests)
    assert store.confirm([file], mirror.mirrors) == []
    assert len(mirror.requests) == asked


def test_offline_a_damaged_file_is_an_error_and_not_used(store: Store, mirror: HttpMirror, file: LockedFile) -> None:
    damage(store.path(file.sha256))
    with pytest.raises(RigforgeError, match=file.file) as error:
        store.confirm([file], mirror.mirrors, offline=True)
    assert "without --offline" in error.value.hint
    assert not store.has(file)


def test_a_file_that_is_sealed_is_not_read_until_something_touches_it(
    store: Store, mirror: HttpMirror, file: LockedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[LockedFile] = []
    confirm = Store.confirm
    monkeypatch.setattr(Store, "confirm", lambda *words, **named: read.extend(words[1]) or confirm(*words, **named))
    store.confirm_sealed(file, mirror.mirrors)
    store.confirm_sealed(file, mirror.mirrors)
    assert read == [file]
    damage(store.path(file.sha256))
    store.confirm_sealed(file, mirror.mirrors)
    assert read == [file, file]
    assert store.path(file.sha256).read_bytes() == CONTENT
