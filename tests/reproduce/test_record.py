"""The digests beside a lock: what is written is read, and sha256sum reads it as well."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.reproduce import record

ONE, TWO = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()


def test_they_lie_beside_the_lock() -> None:
    assert record.path(Path("stacks/smoke.lock")) == Path("stacks/smoke.digests")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "smoke.digests"
    record.write(file, {"b.iso:live/base.squashfs": TWO, "a.iso": ONE})
    assert [*record.read(file).items()] == [("a.iso", ONE), ("b.iso:live/base.squashfs", TWO)]
    assert "--stack smoke" in file.read_text()


def test_sha256sum_checks_it(tmp_path: Path) -> None:
    (tmp_path / "a.iso").write_bytes(b"one")
    record.write(tmp_path / "smoke.digests", {"a.iso": ONE})
    checked = subprocess.run(["sha256sum", "-c", "smoke.digests"], cwd=tmp_path, capture_output=True, text=True)
    assert checked.stdout == "a.iso: OK\n"


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "smoke.digests"
    file.write_text(f"# a comment\n{ONE} a.iso\n")
    with pytest.raises(RigforgeError, match=r"smoke\.digests:2: not a digest and a name"):
        record.read(file)
