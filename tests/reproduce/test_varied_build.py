"""What the second build gets to build from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rigforge import process
from rigforge.lock import model
from rigforge.lock.model import Lock
from rigforge.records.file import LockedFile
from rigforge.reproduce import varied_build
from rigforge.stack.load import load
from rigforge.store import vendor
from rigforge.store.store import Store


def test_the_vendored_directory_is_whole_and_takes_no_second_room_on_the_disk(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"bash").hexdigest()
    files = tuple(LockedFile("base", "deb", name, "1", f"debian:pool/{name}.deb", 4, sha256) for name in ("a", "b"))
    stack = load("smoke")
    store, directory = Store(tmp_path / "store"), tmp_path / "vendor"
    kept = store.path(sha256)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"bash")

    varied_build.vendored(stack, Lock("smoke", model.asked(stack), 1, {}, (), files), store, directory)

    assert vendor.check_all(directory) == []
    assert load(directory / vendor.stack_file(stack)).name == "smoke"
    assert all((directory / file.mirror_path).samefile(kept) for file in files)


def test_all_that_shifts_the_clock_is_seen_in_roots_too() -> None:
    assert {*varied_build._CLOCK, "LD_PRELOAD"} == {*process.CLOCK}
