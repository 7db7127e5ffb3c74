"""Locks of the past: what git has of a lock that has been upgraded since."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import write
from rigforge.release_notes.history import read_at
from tests.release_notes.two_locks import NEW, OLD


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A lock that has been upgraded since it was committed."""
    path = tmp_path / "locks" / "debian-12.lock"
    path.parent.mkdir()
    write(OLD, path)
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "Lock")
    write(NEW, path)
    return path


def test_a_revision_has_the_lock_as_it_was_committed(committed: Path) -> None:
    assert read_at("HEAD", committed) == OLD


def test_the_lock_is_found_from_within_its_folder_too(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(committed.parent)
    assert read_at("HEAD", Path(committed.name)) == OLD


@pytest.mark.parametrize("revision", ["HEAD~1", "odl.lock"])
def test_what_is_neither_file_nor_revision_is_told(committed: Path, revision: str) -> None:
    with pytest.raises(RigforgeError, match=f"{revision}: neither a lock file nor a git revision") as error:
        read_at(revision, committed)
    assert str(committed) in error.value.message


def test_a_lock_that_was_never_committed_is_told(committed: Path) -> None:
    new = committed.with_name("new.lock")
    write(NEW, new)
    with pytest.raises(RigforgeError, match=r"neither a lock file nor a git revision that has .*new\.lock"):
        read_at("HEAD", new)


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    write(NEW, tmp_path / "debian-12.lock")
    with pytest.raises(RigforgeError, match="not a git repository") as error:
        read_at("HEAD", tmp_path / "debian-12.lock")
    assert "name two locks" in error.value.hint


def test_a_lock_that_was_committed_damaged_is_told_with_its_revision(committed: Path) -> None:
    committed.write_text(committed.read_text().replace("535.309.01", "535.999.01"))
    git(committed.parent, "commit", "--all", "--message", "Damage")
    with pytest.raises(RigforgeError, match=r"HEAD/debian-12\.lock: the lock was edited by hand"):
        read_at("HEAD", committed)
