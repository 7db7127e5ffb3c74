"""Before anything is booted: is this the medium of this stack, and how large a disk does it take."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.stack.load import load
from rigforge.verify.iso import disk_bytes, read_medium, verify_iso

GIB = 1 << 30


def an_iso(folder: Path, medium: dict[str, object] | None) -> Path:
    tree = folder / "tree"
    (tree / "rigforge").mkdir(parents=True)
    if medium is not None:
        (tree / "rigforge" / "medium.json").write_text(json.dumps(medium))
    iso = folder / "medium.iso"
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", iso, tree], check=True)
    return iso


def test_a_medium_says_what_it_is(tmp_path: Path) -> None:
    medium = {"id": "c0ffee", "stack": "smoke", "layers": ["base.squashfs"], "rootfs_bytes": 5}
    assert read_medium(an_iso(tmp_path, medium)) == medium


def test_another_iso_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="is not an install medium of Rigforge"):
        read_medium(an_iso(tmp_path, None))


def test_a_missing_iso_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match=r"no such ISO: .*none\.iso") as caught:
        read_medium(tmp_path / "none.iso")
    assert "invoke build-iso" in caught.value.hint


def test_the_medium_of_another_stack_is_refused(tmp_path: Path) -> None:
    iso = an_iso(tmp_path, {"id": "c0ffee", "stack": "debian-12", "layers": [], "rootfs_bytes": 5})
    with pytest.raises(RigforgeError, match="was made from the stack debian-12, not from smoke"):
        verify_iso(iso, load("smoke"), Lock("smoke", "", 0, {}, (), ()), "bios", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_disk_has_room_for_the_system_and_for_work() -> None:
    assert disk_bytes(1 * GIB) == 12 * GIB
    assert disk_bytes(16 * GIB) == 26 * GIB
    assert disk_bytes(16 * GIB + 1) == 27 * GIB
