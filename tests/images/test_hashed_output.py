"""A file that a program prints is written whole or not at all, with its checksum and no second reading."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.images import hashed_output
from rigforge.process import CommandFailed


def test_the_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    output = tmp_path / "new/zeros"
    said = hashed_output.write(["head", "-c", "5000000", "/dev/zero"], output, {})
    assert output.stat().st_size == 5_000_000
    assert said == hashlib.sha256(output.read_bytes()).hexdigest()
    assert list(output.parent.iterdir()) == [output]


def test_nothing_is_left_where_the_program_fails_and_its_words_are_told(tmp_path: Path) -> None:
    output = tmp_path / "half"
    with pytest.raises(CommandFailed, match="no such medium"):
        hashed_output.write(["sh", "-c", "echo half; echo no such medium >&2; exit 3"], output, {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_before_stays_where_the_program_fails(tmp_path: Path) -> None:
    output = tmp_path / "before"
    output.write_text("before")
    with pytest.raises(CommandFailed):
        hashed_output.write(["false"], output, {})
    assert output.read_text() == "before"


def test_a_full_disk_is_told_with_its_cure_and_the_program_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # /dev/full answers as a full disk does.
    monkeypatch.setattr(hashed_output.atomic, "making", lambda output: nullcontext(Path("/dev/full")))
    with pytest.raises(RigforgeError, match=r"rig\.iso cannot be written: No space left on device") as failure:
        hashed_output.write(["cat", "/dev/zero"], tmp_path / "rig.iso", {})
    assert "--out" in failure.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RigforgeError, match="cannot be written"):
        hashed_output.write(["true"], tmp_path / "file/out/rig.iso", {})
